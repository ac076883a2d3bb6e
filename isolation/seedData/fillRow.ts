import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Relation } from '../catalog.ts';
import { setIdentity, valueWithoutTenant } from '../identity.ts';
import { insertRow } from './insertRow.ts';
import { actFor, type SeedContext } from './seedContext.ts';
import type { SeededTenant } from './seedData.ts';

/**
 * Inserts one row of a tenant, from the table's fixture if there is one, otherwise with generated values. If the insert
 * fails as the tenant, it retries without an identity, because a trigger may accept rows only at sign-up.
 *
 * @returns true, or the reason why the first attempt failed.
 */
export async function fillRow(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
  kind: 'full' | 'minimal',
  fixtures: string,
): Promise<true | string> {
  const fill = async () =>
    (await runFixture(context, table, tenant, fixtures)) ?? (await insertRow(context, table, tenant, kind));
  await actFor(context, tenant);
  const result = await fill();
  if (result === true || tenant === null) return result;
  for (const value of ['', valueWithoutTenant(context.catalog)]) {
    if (value === undefined) continue;
    await context.client.query(setIdentity(context.catalog, '', value) as string);
    if ((await fill()) === true) return true;
  }
  return result;
}

/**
 * Runs the table's handwritten INSERT statement. In it, `:owner` stands for the tenant's id, and `:n` for a number that
 * no other row has. Both become literals.
 *
 * @returns undefined if there is no such file, true if the statement succeeded, otherwise the reason why it failed.
 */
async function runFixture(
  context: SeedContext,
  table: Relation,
  tenant: SeededTenant | null,
  folder: string,
): Promise<true | string | undefined> {
  const text = (await read(join(folder, `${table.name}.sql`))) ?? (await read(join(folder, `${table.relname}.sql`)));
  if (text === undefined) return undefined;
  const { client } = context;
  context.count += 1;
  const statement = text
    .replaceAll(/(?<!:):owner\b/g, tenant ? client.escapeLiteral(tenant.id) : 'null')
    .replaceAll(/(?<!:):n\b/g, String(context.count));
  await client.query('savepoint fixture');
  try {
    await client.query(statement);
    await client.query('release savepoint fixture');
    return true;
  } catch (error) {
    await client.query('rollback to savepoint fixture; release savepoint fixture');
    return `the fixture failed: ${(error as Error).message}`;
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    return undefined;
  }
}
