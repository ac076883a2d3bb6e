import type pg from 'pg';
import type { CommittedMigration } from '../migrate/committed.ts';
import { ourSchema } from '../ownObjects.ts';

/** Maximum of names in the message about a foreign database. */
const shown = 3;

/**
 * Returns why a database is not Hedgerow's; undefined if it is, or if it is empty. A database is Hedgerow's if
 * graphile-migrate's record in it has one of Hedgerow's migrations.
 */
export async function foreignDatabase(
  client: pg.Client,
  migrations: readonly Pick<CommittedMigration, 'hash'>[],
): Promise<string | undefined> {
  const { rows } = await client.query<{ name: string; recorded: boolean; readable: boolean; others: string[] }>(`
    select current_database() as name, record.oid is not null as recorded,
      has_schema_privilege(record.relnamespace, 'usage') and has_any_column_privilege(record.oid, 'select') as readable,
      array(
        select format('%I.%I', n.nspname, c.relname)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${ourSchema}
          and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')
        order by 1
      ) as others
    from (select) one left join pg_class record
      -- Not to_regclass(), which fails where the schema may not be used.
      on record.relname = 'migrations' and record.relnamespace = (select oid from pg_namespace where nspname = 'graphile_migrate')`);
  const found = rows[0];
  if (!found) return undefined;
  const { name, recorded, readable, others } = found;
  if (recorded && !readable) return refusal(name, 'its record of migrations belongs to another role');
  const applied = recorded
    ? (await client.query<{ hash: string }>('select hash from graphile_migrate.migrations')).rows
    : [];
  if (applied.some(({ hash }) => migrations.some((ours) => ours.hash === hash))) return undefined;
  if (applied.length > 0) return refusal(name, `it has ${applied.length} migrations of another project`);
  if (others.length === 0) return undefined;
  const more = others.length > shown ? ` and ${others.length - shown} more` : '';
  return refusal(name, `it has ${others.slice(0, shown).join(', ')}${more}, and no record of our migrations`);
}

function refusal(name: string, found: string): string {
  return `Database ${name} is not Hedgerow's: ${found}. Use Hedgerow's database, or an empty one, which \`npm run db -- init\` creates.`;
}
