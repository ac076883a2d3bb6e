import type pg from 'pg';

/** A foreign key that is marked as valid although rows violate it. */
export interface UnkeptForeignKey {
  /** Quoted if necessary. */
  readonly table: string;
  readonly name: string;
  /** The message of Postgres about the first row that violates the key. */
  readonly message: string;
}

interface ForeignKey {
  readonly table: string;
  readonly parent: string;
  readonly name: string;
  readonly definition: string;
}

/** Returns the valid foreign keys from or to tables that force row-level security, by oid. */
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
 * Finds new foreign keys that rows violate. Postgres validates a foreign key with a query as the owner. Under FORCE ROW
 * LEVEL SECURITY that query sees no rows and finds no violation. This function therefore adds each key a second time, as
 * an owner that sees all rows, and rolls back. It locks the tables, so use it only on a copy without other users.
 *
 * @param before the result of `foreignKeys` before the migration.
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
