import type pg from 'pg';
import { register } from '../api/accounts.ts';
import type { ApiActor, Client } from '../api/client.ts';
import { type Holdings, readHoldings } from '../api/rows.ts';
import type { Scratch } from '../api/scratch.ts';
import type { ArgumentSources } from '../api/validArguments.ts';
import { withOrganization } from '../hedgerow/organizations.ts';
import type { Admin } from './backends.ts';
import { prepareFaults } from './faults.ts';

/** A server, its tenants with their initial rows, and a way to restore the rows. */
export interface TestBed {
  readonly client: Client;
  /** The API and the values from which requests are built. */
  readonly context: ArgumentSources;
  /** The types of rows that requests read and write. */
  readonly types: readonly string[];
  readonly db: Admin;
  readonly tenants: readonly { readonly member: ApiActor; readonly holdings: Holdings }[];
  restore(): Promise<void>;
}

/**
 * Prepares a scratch database for faults and four tenants: two with rows of every type, and two without rows.
 *
 * @param admin a pool, because faults of several tenants occur at the same time.
 * @param only selects the tables that requests read and write.
 */
export async function prepareTestBed(
  { context, tables, catalog }: Scratch,
  admin: pg.Pool,
  only: (table: string) => boolean = () => true,
): Promise<TestBed> {
  const { client, api, a, b, empty } = context;
  const newcomer = await withOrganization(admin, await register(client, 'D'));
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
  return { client, context, types, db, tenants, restore: () => tables.restore() };
}
