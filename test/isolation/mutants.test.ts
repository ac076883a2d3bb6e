import { type Catalog, readCatalog } from '../../isolation/catalog.ts';
import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import type { Mutant } from '../../isolation/mutants/mutant.ts';
import { mutantsOf, mutationOperators } from '../../isolation/mutants/operators.ts';
import { proveMutants } from '../../isolation/mutants/proveMutants.ts';
import { findOwners } from '../../isolation/ownership.ts';
import { exitCodeOf } from '../../isolation/proof.ts';
import { htmlReport } from '../../isolation/report/html.ts';
import { terminalReport } from '../../isolation/report/terminal.ts';
import { openTestDatabase } from '../support/database.ts';
import { madeUp } from './madeUpReport.ts';

const victim = '6ff6ae10-65dc-4a52-9c59-6b2b3a0b7a3c';

const { db, client } = await openTestDatabase();
afterEach(() => client.query('rollback'));

const proof = () => ({
  adminUrl: db.adminUrl,
  scope: hedgerowScope,
  seedData: { seed: 1 },
  searchPath: 'pg_catalog',
  login: 'hedgerow_authenticator',
  owner: 'hedgerow_owner',
});

/** The mutants of the current database. */
async function mutants(): Promise<{ catalog: Catalog; mutants: Mutant[] }> {
  const catalog = await readCatalog(client, hedgerowScope);
  return { catalog, mutants: mutantsOf({ catalog, owners: findOwners(catalog), victim }) };
}

test('every mutation operator yields mutants of an unusual schema, and each mutant can be applied', async () => {
  await client.query(`begin; ${unusual}`);
  const made = await mutants();
  const unused = Object.keys(mutationOperators).filter((name) => !made.mutants.some(({ kind }) => kind === name));
  expect(unused).toEqual([]);
  for (const { id, sql, proofs = [] } of made.mutants) {
    await client.query('savepoint mutant');
    const failed = await client.query(sql).then(() => undefined, String);
    expect({ id, failed }).toEqual({ id, failed: undefined });
    await client.query('rollback to savepoint mutant');
    for (const { query } of proofs)
      expect((await client.query({ text: query, rowMode: 'array' })).rows).toEqual([[expect.any(Boolean)]]);
  }
});

test('every mutant has a unique name', async () => {
  await client.query(`begin; ${unusual}`);
  const names = (await mutants()).mutants.map(({ id }) => id);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

/** A selection of mutants from most operators. `.ci/run` tries all mutants. */
const some = ({ kind, object }: Mutant) =>
  /update|pkey|^[\w.]*$/.test(object) && object.includes('idempotency_keys') && kind !== 'add a permissive policy';

test('each mutant is killed or equivalent', async () => {
  const verdicts = await proveMutants({ ...proof(), chosen: some });
  expect(verdicts.filter(({ outcome }) => outcome === 'survived').map(({ id }) => id)).toEqual([]);
  expect(verdicts.filter(({ outcome }) => outcome === 'killed').length).toBeGreaterThan(8);
  for (const { outcome, caught, reason, proof } of verdicts) {
    if (outcome === 'killed') expect(caught[0]?.evidence).not.toBe('');
    else expect([reason, proof]).toEqual([expect.stringMatching(/\.$/), expect.stringMatching(/^select /)]);
  }
}, 600_000);

test('a mutant survives without the attacks that kill it, and the page and the exit code report it', async () => {
  const chosen = ({ id }: Mutant) => id === 'widen USING: policy update_own on app_public.idempotency_keys';
  const [seen] = await proveMutants({ ...proof(), chosen });
  expect(seen).toMatchObject({
    outcome: 'killed',
    caught: expect.arrayContaining([expect.objectContaining({ attack: 'update blind' })]),
  });

  const mutants = await proveMutants({ ...proof(), chosen, attacks: (name) => !name.includes('update') });
  expect(mutants).toMatchObject([{ outcome: 'survived', caught: [], reason: expect.stringContaining('as before') }]);
  const report = { ...madeUp({ tables: 1, leaks: 0, mutants: 0 }), mutants };
  expect(exitCodeOf(report)).toBe(1);
  expect(await htmlReport(report)).toContain('1 mutant survived.');
  expect(terminalReport(report)).toContain('USING is true: update reaches every row of app_public.idempotency_keys.');
}, 600_000);

test('no attack detects an equivalent mutant', async () => {
  const { mutants: all } = await mutants();
  expect(all.length).toBeGreaterThan(200);
  // One mutant for each proof of equivalence.
  const wanted = new Map<string, Mutant>();
  for (const mutant of all) {
    for (const { reason, query } of mutant.proofs ?? []) {
      const { rows } = await client.query({ text: query, rowMode: 'array' });
      if (rows[0]?.[0] === true && mutant.relations?.length) wanted.set(reason.replaceAll(/\w+\.\w+/g, ''), mutant);
    }
  }
  const ids = [...wanted.values()].map(({ id }) => id);
  const verdicts = await proveMutants({
    ...proof(),
    chosen: ({ id }) => ids.includes(id),
    // A proof is about the role of tenants.
    attacks: (name) => name !== 'select in another role',
    attackEquivalent: true,
  });
  expect(verdicts.filter(({ outcome }) => outcome !== 'equivalent').map(({ id, caught }) => ({ id, caught }))).toEqual(
    [],
  );
}, 600_000);

/** A sound schema with features that Hedgerow's tables lack. */
const unusual = `
set local role hedgerow_owner;

create function app_public.is_mine("whose row" uuid, strictly boolean default true) returns boolean
  language plpgsql stable as $$ begin return "whose row" = app_public.current_user_id() and strictly is not null; end $$;
grant execute on function app_public.is_mine to hedgerow_tenant;

create function app_private.refuse_change_of_sum() returns trigger
  language plpgsql as $$ begin if new.sum <> old.sum then raise exception 'a sum stays'; end if; return new; end $$;

create table app_public."Bills, paid" (
  "user id" uuid not null default app_public.current_user_id() references app_public.users on delete cascade,
  number int generated always as identity,
  sum numeric(10, 2) not null check (sum > 0),
  tags text[] not null default '{}',
  during tstzrange,
  twice numeric generated always as (sum * 2) stored,
  deleted boolean not null default false,
  parent int,
  primary key ("user id", number),
  unique ("user id", sum),
  foreign key ("user id", parent) references app_public."Bills, paid" ("user id", number)
);
create trigger sums_stay before update on app_public."Bills, paid"
  for each row execute function app_private.refuse_change_of_sum();
alter table app_public."Bills, paid" enable row level security, force row level security;
create policy everything on app_public."Bills, paid" to hedgerow_tenant
  using ("user id" = (select app_public.current_user_id()) and (not deleted or sum > 0))
  with check (app_public.is_mine("user id"));
create policy "not deleted" on app_public."Bills, paid" as restrictive for select to hedgerow_tenant
  using ("user id" = (select app_public.current_user_id()));
grant select, insert (sum, tags, during, parent), update (sum, tags, parent), delete on app_public."Bills, paid" to hedgerow_tenant;

create view app_public.bills with (security_invoker = true) as select number, sum from app_public."Bills, paid";
grant select on app_public.bills to hedgerow_tenant;
reset role;
`;
