import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { watchSchema } from '../../dev/schemaChanges.ts';
import { withClient } from '../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

const kill = () =>
  admin(`select pg_terminate_backend(pid) from pg_stat_activity
         where datname = current_database() and query = 'listen hedgerow_schema'`);
const admin = (sql: string) => withClient(db.adminUrl, (client) => client.query(sql));

test('changes are heard from the start, and one that a lost connection may have missed counts as heard', async () => {
  const changes = await watchSchema(db.listenUrl);
  const heard = new EventEmitter();
  let calls = 0;
  try {
    await admin('notify hedgerow_schema');
    const first = once(heard, 'change');
    changes.follow(async () => {
      calls++;
      heard.emit('change');
    });
    await first;

    const again = once(heard, 'change');
    await kill();
    await again;
    expect(calls).toBe(2);
  } finally {
    await changes.close();
  }
});

test('it can be closed while its connection is lost, and where it cannot have one', async () => {
  const changes = await watchSchema(db.listenUrl);
  await kill();
  await sleep(100);
  await changes.close();
  const never = await watchSchema(`${db.listenUrl}?sslmode=verify-full&sslrootcert=/nowhere`);
  await never.close();
});
