import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { Command, CommanderError } from 'commander';
import { hashPassword } from '../server/auth/passwords/passwords.ts';
import { keysOf } from '../server/auth/tokens/keys.ts';
import { type BenchDatabase, openBenchCluster } from './database.ts';
import { figure, spreadText } from './format.ts';
import { startLoad } from './load.ts';
import { loginClient } from './loginClient.ts';
import { type FloodCost, measureFlood } from './loginFlood.ts';
import { type LoginTimes, measureLoginTimes } from './loginTimes.ts';
import { machine } from './machine.ts';
import { wholeNumber } from './options.ts';
import { hedgerow } from './peers.ts';
import { createReport, endProgress, type Report } from './progress.ts';
import { requestText, subjects } from './requests.ts';
import { spawnServer, stopServers, waitUntilListening } from './serverProcess.ts';
import { createTokens, measuredTenants, type Tenant } from './tenants.ts';
import { smallRows } from './thresholds.ts';

interface Options {
  readonly tries: number;
  readonly flood: number;
  readonly seconds: number;
  readonly rounds: number;
  readonly json?: string;
}

const password = 'the password of every tenant here';

/** Gives the tenants a password for this run. @returns their addresses, and a function that restores the database. */
async function setPasswords({ admin }: BenchDatabase, tenants: readonly Tenant[]) {
  const ids = [tenants.map(({ userId }) => userId)];
  const before = (await admin.query('select now() as now')).rows[0].now;
  const setHash = 'update app_private.credentials set password_hash = $2 where user_id = any($1)';
  await admin.query(setHash, [...ids, await hashPassword(password)]);
  const { rows } = await admin.query<{ email: string }>('select email from app_public.users where id = any($1)', ids);
  return {
    emails: rows.map(({ email }) => email),
    async restore() {
      await admin.query(setHash, [...ids, '$argon2id$none']);
      await admin.query('delete from app_private.sessions where created_at > $1', [before]);
      // Disables the trigger that makes the audit log append-only.
      await admin.query('set session_replication_role = replica');
      await admin.query('delete from app_private.audit_log where created_at > $1', [before]);
      await admin.query('reset session_replication_role');
      await admin.query('truncate app_private.rate_limits');
      await admin.query('vacuum (analyze) app_private.sessions, app_private.audit_log');
    },
  };
}

async function run({ tries, flood, seconds, rounds }: Options, report: Report, cleanUp: (() => unknown)[]) {
  report('starting Postgres in .data/bench');
  const cluster = await openBenchCluster();
  cleanUp.push(() => cluster.close(), stopServers);
  const database = await cluster.database(smallRows, report);
  const tenants = await measuredTenants(database);
  const { emails, restore } = await setPasswords(database, tenants);
  cleanUp.push(restore);
  const jwtSecret = randomBytes(32).toString('hex');
  const server = await spawnServer(hedgerow.file, {
    DATABASE_URL: database.serverUrl,
    JWT_SECRET: jwtSecret,
    AUTH_LIMIT_FACTOR: '1000',
  });
  await waitUntilListening(server);
  const client = loginClient(server.port);
  const load = startLoad();
  cleanUp.push(client.close, load.stop);

  report(`${tries} logins each with a wrong password, at known and unknown accounts`);
  const times = await measureLoginTimes(client, emails, tries);
  report(`the list, alone and during ${flood} concurrent logins`);
  const tokenOf = createTokens(keysOf({ jwtSecret }));
  const requests = subjects(tenants).map((subject) =>
    requestText(hedgerow.api.list.call(subject), tokenOf(subject.tenant)),
  );
  const cost = await measureFlood(load, client, {
    job: { port: server.port, requests, connections: 16, seconds },
    rounds,
    connections: flood,
    // Half of the logins have a wrong password.
    credentials: emails.map((email, index) => ({ email, password: index % 2 ? password : 'wrong' })),
  });
  return { times, flood: cost };
}

function print(
  times: LoginTimes,
  { alone, flooded, ratio, logins, loginsPerSecond }: FloodCost,
  options: Options,
): void {
  const row = (...cells: string[]) =>
    console.log(cells.map((cell, index) => (index === 0 ? cell.padEnd(20) : cell.padStart(22))).join('  '));
  console.log(`\na wrong password, ms, ${times.tries} attempts each in random order`);
  row('', 'lower quartile', 'median', 'upper quartile');
  for (const kind of ['known', 'unknown'] as const) {
    const { lower, median, upper } = times[kind];
    row(`${kind} account`, figure(lower, 2), figure(median, 2), figure(upper, 2));
  }
  console.log(`unknown to known: ${figure(times.ratio, 3)}; permutation test: p = ${figure(times.p, 3)}`);

  console.log(`\nthe list on 16 connections, alone and during ${options.flood} concurrent logins`);
  row('', 'requests/s', 'p50 ms', 'p99 ms');
  for (const [name, rates] of Object.entries({ alone, flooded }))
    row(name, spreadText(rates.perSecond, 0), spreadText(rates.p50, 1), spreadText(rates.p99, 1));
  row('flooded to alone', ...[ratio.perSecond, ratio.p50, ratio.p99].map((values) => spreadText(values)));
  const statuses = Object.entries(logins).map(([status, count]) => `${status} ${count.toLocaleString('en')} times`);
  console.log(`logins: ${spreadText(loginsPerSecond, 0)} answered per second: ${statuses.join(', ')}`);
}

async function main(): Promise<void> {
  const options = new Command('npm run bench:logins --')
    .description('Measures whether the time of a login reveals an account, and the effect of a login flood on the API.')
    .option(
      '--tries <n>',
      'wrong passwords at known accounts, and as many at unknown ones',
      wholeNumber(10, 10_000),
      200,
    )
    .option('--flood <n>', 'concurrent logins', wholeNumber(1, 1000), 50)
    .option('--seconds <n>', 'duration of each turn of the list', wholeNumber(1, 600), 5)
    .option('--rounds <n>', 'turns, each with and without the flood', wholeNumber(1, 100), 5)
    .option('--json <file>', 'write the measurements as JSON')
    .exitOverride()
    .parse()
    .opts<Options>();
  const about = {
    when: new Date().toISOString(),
    machine: machine(),
    node: process.versions.node,
    loadBefore: loadavg(),
  };
  const cleanUp: (() => unknown)[] = [];
  const end = async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void end().finally(() => process.exit(2)));
  }
  try {
    const { times, flood } = await run(options, createReport(), cleanUp);
    endProgress();
    console.log(
      `${about.when}, ${about.machine}, Node ${about.node}, load before ${about.loadBefore.map((load) => load.toFixed(1)).join(' ')}`,
    );
    print(times, flood, options);
    if (options.json)
      await writeFile(options.json, `${JSON.stringify({ ...about, options, times, flood }, null, 2)}\n`);
  } finally {
    endProgress();
    await end();
  }
}

await main().catch((error) => {
  if (!(error instanceof CommanderError)) console.error(`The benchmark could not run: ${(error as Error).message}`);
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2;
});
