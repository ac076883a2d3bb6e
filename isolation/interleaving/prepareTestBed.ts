import type pg from 'pg';
import { register } from '../api/accounts.ts';
import { readHoldings } from '../api/rows.ts';
import type { Scratch } from '../api/scratch.ts';
import { prepareFaults } from './faults.ts';
import type { TestBed } from './testBed.ts';

/**
 * Four tenants on a scratch database that faults can happen to: two with rows of every kind, and two without.
 *
 * @param admin several tenants' faults happen at once.
 * @param only tables that requests are about.
 */
export async function prepareTestBed(
  { context, tables, catalog }: Scratch,
  admin: pg.Pool,
  only: (table: string) => boolean = () => true,
): Promise<TestBed> {
  const { client, api, a, b, empty } = context;
  const newcomer = await register(client, 'D');
  const db = { asAdmin: async (text: string, values: unknown[] = []) => (await admin.query(text, values)).rows };
  await tables.keep();
  await prepareFaults(
    db,
    catalog.tables.filter(({ schema }) => schema === catalog.schema),
  );
  const tenants = [];
  for (const member of [a, b, empty, newcomer])
    tenants.push({ member, holdings: await readHoldings(client, api, member) });
  const types = [...api.rows.keys()].filter((type) => only(context.tableOf(type)));
  return { client, known: context, types, db, tenants, strict: true, restore: () => tables.restore() };
}
