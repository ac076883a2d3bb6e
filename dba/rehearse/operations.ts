import type pg from 'pg';

/** What a tenant does with a table: the columns are those of before the migration, as a server that runs knows them. */
export interface Operation {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly kind: 'read' | 'write';
  readonly text: string;
}

/** Names are quoted. */
interface Grants {
  readonly table: string;
  readonly readable: string[];
  readonly insertable: string[];
  readonly updatable: string[];
}

/** The reads and writes that hedgerow_tenant may do in app_public, from the catalog. */
export async function readOperations(client: pg.Client): Promise<Operation[]> {
  const allowed = (privilege: string) => `coalesce(array_agg(quote_ident(a.attname) order by a.attnum) filter (
    where has_column_privilege('hedgerow_tenant', c.oid, a.attnum, '${privilege}') and a.attgenerated = ''), '{}')`;
  const { rows } = await client.query<Grants>(
    `select format('%I.%I', n.nspname, c.relname) as "table", ${allowed('select')} as readable,
       ${allowed('insert')} as insertable, ${allowed('update')} as updatable
     from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
     where n.nspname = 'app_public' and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped
     group by n.nspname, c.oid, c.relname order by c.relname`,
  );
  return rows.flatMap(operationsOf);
}

function operationsOf({ table, readable: read, insertable: inserted, updatable: updated }: Grants): Operation[] {
  const operations: Operation[] = [];
  if (read.length === 0) return operations;
  operations.push({ table, kind: 'read', text: `select ${read.join(', ')} from ${table} limit 20` });
  // Rows become what they are already: the locks are the same, and so are the triggers.
  if (updated.length > 0) {
    const set = updated.map((column) => `${column} = ${column}`).join(', ');
    const text = `update ${table} set ${set} where ctid = any(array(select ctid from ${table} limit 1))`;
    operations.push({ table, kind: 'write', text });
  }
  // A copy of a row that is there tells whether what a server inserts today is still accepted.
  if (inserted.length > 0 && inserted.every((column) => read.includes(column))) {
    const columns = inserted.join(', ');
    const text = `insert into ${table} (${columns}) select ${columns} from ${table} limit 1`;
    operations.push({ table, kind: 'write', text });
  }
  return operations;
}
