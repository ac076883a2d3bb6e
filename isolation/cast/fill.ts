import type { Relation } from '../catalog.ts';
import { setIdentity, valueWithoutTenant } from '../identity.ts';
import type { Member } from './cast.ts';
import { runFixture } from './fixtures.ts';
import { insertRow } from './insertRow.ts';
import type { Making } from './making.ts';

/** Makes the transaction act for a tenant, or for nobody. */
export async function actFor({ client, catalog }: Making, member: Member | null): Promise<void> {
  await client.query(setIdentity(catalog, member?.id ?? '') as string);
}

/**
 * Makes one row of a tenant's, by the fixture of the table or else from the catalog. Sign-up makes rows before anybody
 * is signed in, and a trigger may demand that: what fails for the tenant is tried without one.
 *
 * @returns true, or why Postgres refused the first try.
 */
export async function fillRow(
  making: Making,
  table: Relation,
  member: Member | null,
  kind: 'full' | 'minimal',
  fixtures: string,
): Promise<true | string> {
  const fill = async () =>
    (await runFixture(making, table, member, fixtures)) ?? (await insertRow(making, table, member, kind));
  await actFor(making, member);
  const result = await fill();
  if (result === true || member === null) return result;
  for (const value of ['', valueWithoutTenant(making.catalog)]) {
    if (value === undefined) continue;
    await making.client.query(setIdentity(making.catalog, '', value) as string);
    if ((await fill()) === true) return true;
  }
  return result;
}
