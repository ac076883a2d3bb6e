import { isUnavailable } from '../../../postgres/connectionErrors.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { LiveConnection } from '../../../server/graphql/live/connection.ts';
import { Admission, admissionLimits } from '../../../server/tenancy/admission.ts';
import { Identity } from '../../../server/tenancy/identity.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { openConnections } from '../../support/openDatabase.ts';
import { createAccount } from '../../support/sql.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
});
afterAll(() => db.drop());

test('a read of a subscription that the database does not answer ends, and its connection is free', async () => {
  const { id, sessionId } = await createAccount(db, 'ada');
  const database = openConnections(db, { size: 2 });
  const user = { userId: id, sessionId, identity: Identity.tenant(id, sessionId), expires: Date.now() + 600_000 };
  const connection = new LiveConnection(
    user as never,
    { database, admission: new Admission(admissionLimits(2)), readTimeout: 0.3 },
    () => {},
  );
  const client = connection.client();
  const read = () => client.query<{ one: number }>({ text: 'select 1 as one' });
  expect((await read()).rows).toEqual([{ one: 1 }]);
  await withClient(db.ownerUrl, async (owner) => {
    await owner.query('begin; lock table app_private.sessions');
    for (const error of await Promise.all(
      [read(), read()].map((reading) => reading.catch((reason: unknown) => reason)),
    ))
      expect(isUnavailable(error)).toBe(true);
    const { open, idle, waiting } = database.load();
    expect({ busy: open - idle, waiting }).toEqual({ busy: 0, waiting: 0 });
    const back = Promise.all([connection.isBack(), connection.isBack()]);
    await owner.query('commit');
    expect(await back).toEqual([true, true]);
  });
  expect((await read()).rows).toEqual([{ one: 1 }]);
  connection.dispose();
  await expect(read()).rejects.toMatchObject({ reason: 'client gone' });
  await database.close();
});
