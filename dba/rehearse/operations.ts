import type pg from 'pg';

/** A tenant's read or write of a table. It uses the columns from before the migration, as a running server does. */
export interface Operation {
  /** Quoted, with its schema. */
  readonly table: string;
  readonly kind: 'read' | 'write';
  readonly text: string;
}

/** The columns that a tenant may access. All names are quoted. */
interface Grants {
  readonly table: string;
  readonly readable: string[];
  readonly insertable: string[];
  readonly updatable: string[];
}

/** Derives the reads and writes that hedgerow_tenant may do in app_public from the catalog. */
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
  // Set each column to its current value: this takes the same locks and fires the same triggers as a real update.
  if (updated.length > 0) {
    const set = updated.map((column) => `${column} = ${column}`).join(', ');
    const text = `update ${table} set ${set} where ctid = any(array(select ctid from ${table} limit 1))`;
    operations.push({ table, kind: 'write', text });
  }
  // Insert a copy of an existing row: this shows whether the database still accepts what a running server inserts.
  if (inserted.length > 0 && inserted.every((column) => read.includes(column))) {
    const columns = inserted.join(', ');
    const text = `insert into ${table} (${columns}) select ${columns} from ${table} limit 1`;
    operations.push({ table, kind: 'write', text });
  }
  return operations;
}
