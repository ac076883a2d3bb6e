import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { Command, CommanderError } from 'commander';
import type pg from 'pg';
import { keysOf } from '../server/auth/tokens/keys.ts';
import { graphql } from './apis/api.ts';
import { addTo, type BenchDatabase, openBenchCluster } from './database.ts';
import { figure, spreadText } from './format.ts';
import { percentile, startLoad } from './load.ts';
import { machine } from './machine.ts';
import { wholeNumber } from './options.ts';
import { hedgerow } from './peers.ts';
import { createReport, endProgress, type Report } from './progress.ts';
import { requestText } from './requests.ts';
import { spawnServer, stopServers, waitUntilListening } from './serverProcess.ts';
import { spread } from './statistics.ts';
import { createTokens, measuredTenants } from './tenants.ts';
import { smallRows } from './thresholds.ts';

/** Connections that send requests. */
const connections = 16;

const fields = 'rowId title completed createdAt';
const lists = {
  personal: graphql(`query Personal { todos(first: 20, orderBy: CREATED_AT_DESC) { nodes { ${fields} } } }`),
  organization: graphql(`query Shared { tasks(first: 20, orderBy: CREATED_AT_DESC) { nodes { ${fields} } } }`),
};
type ListName = keyof typeof lists;

/** Gives each user an organization with the id of the user, and with as many tasks as the user has todos. */
const organizations = addTo('organizations', import.meta.filename, async (admin) => {
  await admin.query(`
    insert into app_public.organizations (id, name) select id, username from app_public.users;
    insert into app_public.organization_members (organization_id, user_id, username, role)
    select id, id, username, 'owner' from app_public.users;
    insert into app_public.tasks (organization_id, id, title, completed, created_at, updated_at)
    select user_id, id, title, completed, created_at, updated_at from app_public.todos order by created_at, user_id`);
  await admin.query('vacuum (analyze)');
});

/** Rows of the table that shows rows of all organizations of a user, and organizations that own them. */
const shared = { rows: 1_000_000, organizations: 2000, memberships: [1, 50, 500] };

interface Pattern {
  readonly memberships: number;
  readonly p50: number;
  readonly p95: number;
}

/**
 * Measures `organization_id = any (array(select …))` of docs/dba.md: the newest 20 rows of all organizations of a user, in
 * milliseconds at the client. Everything happens in a transaction that rolls back.
 */
async function measurePattern({ admin }: BenchDatabase, report: Report): Promise<Pattern[]> {
  report(`creating ${shared.rows.toLocaleString('en')} rows of ${shared.organizations} organizations`);
  await admin.query('begin');
  try {
    const users = await preparePattern(admin);
    const measured: Pattern[] = [];
    for (const [index, memberships] of shared.memberships.entries()) {
      await admin.query('savepoint tenant');
      await admin.query(
        "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)",
        [users[index]],
      );
      const times: number[] = [];
      for (let run = 0; run < 200; run++) {
        const start = performance.now();
        const { rows } = await admin.query({
          name: 'newest_shared',
          text: 'select id, title, created_at from app_public.shared_notes order by created_at desc, id desc limit 20',
        });
        times.push(performance.now() - start);
        if (rows.length !== 20) throw new Error(`the pattern shows ${rows.length} rows in place of 20`);
      }
      const sorted = Float64Array.from(times).sort();
      measured.push({ memberships, p50: percentile(sorted, 0.5), p95: percentile(sorted, 0.95) });
      await admin.query('rollback to tenant');
    }
    return measured;
  } finally {
    await admin.query('rollback');
  }
}

/** Creates the table of the pattern. @returns the ids of users, one for each number of memberships. */
async function preparePattern(admin: pg.Client): Promise<string[]> {
  const organization = (number: string) => `('00000000-0000-4000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`;
  await admin.query(`
    create table app_public.shared_notes (
      organization_id uuid not null references app_public.organizations on delete cascade,
      id uuid not null default gen_random_uuid(),
      title text not null,
      created_at timestamptz not null,
      primary key (organization_id, id)
    );
    alter table app_public.shared_notes enable row level security, force row level security;
    create policy select_own on app_public.shared_notes for select to hedgerow_tenant
      using (organization_id = any (array(
        select m.organization_id from app_public.organization_members m
        where m.user_id = (select app_public.current_user_id())
      )));
    grant select on app_public.shared_notes to hedgerow_tenant;
    insert into app_public.organizations (id, name)
    select ${organization('n')}, 'shared ' || n from generate_series(1, ${shared.organizations}) n;
    insert into app_public.shared_notes (organization_id, title, created_at)
    select ${organization(`1 + n * 7 % ${shared.organizations}`)}, 'Note ' || n, now() - n * interval '1 second'
    from generate_series(1, ${shared.rows}) n;
    create index on app_public.shared_notes (organization_id, created_at, id);
    create index on app_public.shared_notes (created_at, id);`);
  const { rows } = await admin.query<{ id: string; username: string }>(
    'select id, username from app_public.users order by id limit $1',
    [shared.memberships.length],
  );
  for (const [index, { id, username }] of rows.entries()) {
    await admin.query(
      `insert into app_public.organization_members (organization_id, user_id, username, role)
       select ${organization('n')}, $1, $2, 'member' from generate_series(1, $3::int) n`,
      [id, username, shared.memberships[index]],
    );
  }
  await admin.query('analyze app_public.shared_notes, app_public.organization_members, app_public.organizations');
  return rows.map(({ id }) => id);
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly json?: string;
}

async function run({ rounds, seconds }: Options, report: Report, cleanUp: (() => unknown)[]) {
  report('starting Postgres in .data/bench');
  const cluster = await openBenchCluster();
  cleanUp.push(() => cluster.close(), stopServers);
  const database = await cluster.database(smallRows, report, organizations);
  const pattern = await measurePattern(database, report);
  const tenants = await measuredTenants(database);
  const jwtSecret = randomBytes(32).toString('hex');
  const tokenOf = createTokens(keysOf({ jwtSecret }));
  const server = await spawnServer(hedgerow.file, { DATABASE_URL: database.serverUrl, JWT_SECRET: jwtSecret });
  await waitUntilListening(server);
  const load = startLoad();
  cleanUp.push(() => load.stop());
  const turn = async (name: ListName, duration: number) => {
    const requests = tenants.map((tenant) => {
      const headers = name === 'organization' ? { 'X-Organization-Id': tenant.userId } : {};
      return requestText({ ...lists[name], headers }, tokenOf(tenant));
    });
    const result = await load.run({ port: server.port, requests, connections, seconds: duration });
    if (result.error) throw new Error(result.error);
    return result.latencies.length / result.seconds;
  };
  report('warming up');
  for (const name of ['personal', 'organization', 'personal', 'organization'] as const) await turn(name, 6);
  const perSecond: Record<ListName, number[]> = { personal: [], organization: [] };
  for (let round = 0; round < rounds; round++) {
    report(`round ${round + 1} of ${rounds}`);
    const order: ListName[] = round % 2 === 0 ? ['personal', 'organization'] : ['organization', 'personal'];
    for (const name of order) perSecond[name].push(await turn(name, seconds));
  }
  const ratios = perSecond.organization.map((one, index) => one / (perSecond.personal[index] as number));
  return { machine: machine(), postgres: cluster.version, load: loadavg(), pattern, perSecond, ratios };
}

function print({ pattern, perSecond, ratios }: Awaited<ReturnType<typeof run>>): void {
  console.log(`\nA list of 20 rows, requests per second (${connections} connections):`);
  console.log(`  personal      ${spreadText(spread(perSecond.personal), 0)}`);
  console.log(`  organization  ${spreadText(spread(perSecond.organization), 0)}`);
  console.log(`  ratio         ${spreadText(spread(ratios))}`);
  console.log(`\nThe newest 20 of ${shared.rows.toLocaleString('en')} rows, of all organizations of a user:`);
  for (const { memberships, p50, p95 } of pattern) {
    console.log(
      `  ${String(memberships).padStart(3)} organizations  p50 ${figure(p50, 2)} ms, p95 ${figure(p95, 2)} ms`,
    );
  }
}

async function main(): Promise<void> {
  const program = new Command('npm run bench:organizations --')
    .description('Compares the list of an organization with a personal one, and measures rows of all organizations.')
    .exitOverride()
    .option('--rounds <number>', 'rounds of both lists', wholeNumber(1, 100), 5)
    .option('--seconds <number>', 'seconds of each list in each round', wholeNumber(1, 600), 5)
    .option('--json <file>', 'write the results as JSON')
    .addHelpText('after', '\nExit code: 0 measured, 2 could not run.');
  program.parse();
  const options = program.opts<Options>();
  const cleanUp: (() => unknown)[] = [];
  try {
    const results = await run(options, createReport(), cleanUp);
    endProgress();
    print(results);
    if (options.json) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  } finally {
    endProgress();
    for (const step of cleanUp.reverse()) await step();
  }
}

await main().catch((error) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    return;
  }
  console.error(`The benchmark could not run: ${(error as Error).message}`);
  process.exitCode = 2;
});
