import type pg from 'pg';

export interface UnkeptForeignKey {
  /** Quoted where it has to be. */
  readonly table: string;
  readonly name: string;
  /** What Postgres says of the first row that does not fit. */
  readonly message: string;
}

interface ForeignKey {
  readonly table: string;
  readonly parent: string;
  readonly name: string;
  readonly definition: string;
}

/** The valid foreign keys of tables that force row-level security, or that speak of one; by oid. */
export async function foreignKeys(client: pg.Client): Promise<Map<number, ForeignKey>> {
  const { rows } = await client.query<ForeignKey & { oid: number }>(
    `select c.oid::int8::int as oid, c.conrelid::regclass::text as "table", c.confrelid::regclass::text as parent,
       quote_ident(c.conname) as name, pg_get_constraintdef(c.oid) as definition
     from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_class p on p.oid = c.confrelid
     where c.contype = 'f' and c.convalidated and c.conparentid = 0 and (t.relforcerowsecurity or p.relforcerowsecurity)`,
  );
  return new Map(rows.map(({ oid, ...key }) => [oid, key]));
}

/**
 * Adds the foreign keys that are not among `before` once more, as an owner who sees all rows, and takes that back. When
 * the owner adds or validates one, Postgres asks by a query, which under FORCE ROW LEVEL SECURITY sees no rows and finds
 * nothing wrong. Locks the tables: for a copy that nobody else uses.
 */
export async function unkeptForeignKeys(
  client: pg.Client,
  before: ReadonlyMap<number, unknown>,
): Promise<UnkeptForeignKey[]> {
  const added = [...(await foreignKeys(client))].filter(([oid]) => !before.has(oid)).map(([, key]) => key);
  const unkept: UnkeptForeignKey[] = [];
  for (const { table, parent, name, definition } of added) {
    await client.query('begin');
    try {
      for (const hidden of new Set([table, parent])) {
        await client.query(`alter table ${hidden} no force row level security`);
      }
      await client.query(`alter table ${table} add constraint once_more ${definition}`);
    } catch (error) {
      const { message, detail = '' } = error as pg.DatabaseError;
      unkept.push({ table, name, message: `${message.replace('once_more', name)} ${detail}`.trim() });
    } finally {
      await client.query('rollback');
    }
  }
  return unkept;
}
