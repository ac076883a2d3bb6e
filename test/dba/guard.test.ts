import { setTimeout as sleep } from 'node:timers/promises';
import { withMigrationLock } from '../../dba/migrations/migrationLock.ts';
import { neonPooler, transactionPooler } from '../../postgres/target/pooler.ts';
import { inDatabase } from '../../postgres/target/scratch.ts';
import { withClient } from '../../postgres/withClient.ts';
import { hasPgBouncer, startPgBouncer } from '../support/pgbouncer.ts';
import { openWorkbench } from '../support/verbs.ts';

const workbench = await openWorkbench();
afterAll(() => workbench.remove());

const run = (args: string[], env: Record<string, string> = {}) =>
  workbench.checkout.run('dba/cli.ts', args, { ...workbench.env, ...env });

const detect = (url: string) => withClient(url, (client) => transactionPooler('URL', url, client));

if (hasPgBouncer()) {
  test('a transaction pooler is refused before any change, and a direct connection is requested', async () => {
    const { ownerUrl } = workbench.database;
    const pooler = await startPgBouncer(ownerUrl);
    try {
      for (const variable of ['DATABASE_URL_DIRECT', 'SHADOW_DATABASE_URL']) {
        const url = variable === 'DATABASE_URL_DIRECT' ? pooler.url : inDatabase(pooler.url, 'postgres');
        const { code, output } = await run(['snapshot'], { [variable]: url });
        expect({ code, output }).toEqual({
          code: 2,
          output: expect.stringMatching(`^${variable} points at a transaction pooler`),
        });
        expect(output).toContain(`127.0.0.1:${new URL(ownerUrl).port}`);
        expect(output).not.toContain(new URL(ownerUrl).password);
      }
    } finally {
      await pooler.stop();
    }
  });

  test('a transaction pooler is detected even if busy, and a session pooler is accepted', async () => {
    const { ownerUrl } = workbench.database;
    const [transactions, sessions] = [await startPgBouncer(ownerUrl), await startPgBouncer(ownerUrl, 'session')];
    const done = new AbortController();
    const traffic = [1, 2].map(() =>
      withClient(transactions.url, async (client) => {
        while (!done.signal.aborted) await client.query('select pg_sleep(0.001)');
      }),
    );
    try {
      for (let time = 0; time < 5; time++) {
        expect(await detect(transactions.url)).toContain('transaction pooler');
        expect(await detect(sessions.url)).toBeUndefined();
      }
    } finally {
      done.abort();
      await Promise.all(traffic);
      await Promise.all([transactions.stop(), sessions.stop()]);
    }
  });
}

test('a direct connection is not taken for a pooler', async () => {
  expect(await detect(workbench.database.ownerUrl)).toBeUndefined();
});

test('a Neon pooler is detected by its host name', async () => {
  const pooled = 'postgres://hedgerow_owner:secret-word@ep-cool-rain-123456-pooler.eu-central-1.aws.neon.tech/hedgerow';
  const { code, output } = await run(['migrate'], { DATABASE_URL_DIRECT: pooled });
  expect({ code, output }).toEqual({
    code: 2,
    output: expect.stringContaining('the direct host is ep-cool-rain-123456.eu-central-1.aws.neon.tech'),
  });
  expect(output).not.toContain('secret-word');
  expect(neonPooler('URL', pooled.replace('-pooler', ''))).toBeUndefined();
  expect(neonPooler('URL', 'postgres://x@db-pooler.example.com/x')).toBeUndefined();
});

test('a foreign database is refused, an empty one is not, and neither is erased as the shadow', async () => {
  const root = workbench.env.ROOT_DATABASE_URL as string;
  const name = `${new URL(workbench.database.ownerUrl).pathname.slice(1)}_other`;
  const other = inDatabase(workbench.database.ownerUrl, name);
  const admin = (sql: string) => withClient(root, (client) => client.query(sql));
  const superuser = (sql: string) =>
    withClient(inDatabase(workbench.database.adminUrl, name), (client) => client.query(sql));
  await admin(`create database ${name} owner hedgerow_owner`);
  try {
    await withClient(other, (client) => client.query('create schema shop create table orders (id int)'));
    const found = `Database ${name} is not Hedgerow's: it has shop.orders, and no record`;
    for (const verb of [['migrate'], ['reset', '--yes'], ['commit']]) {
      expect(await run(verb, { DATABASE_URL_DIRECT: other })).toEqual({
        code: 2,
        output: expect.stringContaining(found),
      });
    }
    const shadowed = await run(['snapshot'], { SHADOW_DATABASE_URL: other });
    expect(shadowed).toEqual({ code: 2, output: expect.stringContaining(found) });
    expect(await run(['status'], { DATABASE_URL_DIRECT: other })).toMatchObject({
      code: 1,
      output: expect.stringContaining(found),
    });

    await withClient(other, (client) =>
      client.query(`create schema graphile_migrate;
        create table graphile_migrate.migrations (hash text, previous_hash text, filename text, date timestamptz);
        insert into graphile_migrate.migrations values ('sha1:0', null, '000001.sql', now())`),
    );
    expect(await run(['migrate'], { DATABASE_URL_DIRECT: other })).toMatchObject({
      code: 2,
      output: expect.stringContaining('migrations of another project'),
    });

    await superuser('alter schema graphile_migrate owner to postgres');
    expect(await run(['migrate'], { DATABASE_URL_DIRECT: other })).toMatchObject({
      code: 2,
      output: expect.stringContaining('belongs to another role'),
    });

    await superuser('drop schema shop, graphile_migrate cascade');
    expect(await run(['migrate'], { DATABASE_URL_DIRECT: other })).toMatchObject({ code: 0 });
    await superuser("insert into app_public.users (email, username) values ('ada@example.com', 'ada')");
    const used = await run(['snapshot'], { SHADOW_DATABASE_URL: other });
    expect(used).toMatchObject({ code: 2, output: expect.stringContaining('has users') });
    const same = { DATABASE_URL_DIRECT: other, SHADOW_DATABASE_URL: other };
    expect(await run(['snapshot'], same)).toMatchObject({
      code: 2,
      output: expect.stringContaining('Set SHADOW_DATABASE_URL to another one'),
    });
  } finally {
    await admin(`drop database ${name} with (force)`);
  }
}, 90_000);

test('a second migration waits for the given time and prints the lock holder', async () => {
  const { ownerUrl } = workbench.database;
  await withMigrationLock(ownerUrl, 'rehearsal', 0, async (client) => {
    const { rows } = await client.query('select pg_backend_pid() as pid');
    const { code, output } = await run(['migrate', '--wait', '0.5']);
    expect({ code, output }).toEqual({ code: 2, output: expect.stringContaining('hedgerow rehearsal on ') });
    expect(output).toMatch(`process ${rows[0].pid}, role hedgerow_owner, from 127.0.0.1, connected since 2`);
    expect(await run(['status'])).toMatchObject({ output: expect.stringContaining(`process ${rows[0].pid}`) });
  });
  // graphile-migrate itself, which takes its own lock only.
  await withClient(`${ownerUrl}?application_name=`, async (client) => {
    await client.query('select pg_advisory_lock(4727445306447283)');
    expect(await run(['migrate', '--wait', '0'])).toMatchObject({
      code: 2,
      output: expect.stringContaining('graphile-migrate (process '),
    });
    const waiting = run(['migrate', '--wait', '20']);
    await sleep(1000);
    await client.query('select pg_advisory_unlock(4727445306447283)');
    expect(await waiting).toMatchObject({ code: 0 });
  });
  expect(await run(['migrate', '--wait', 'long'])).toMatchObject({ code: 2 });
}, 90_000);
