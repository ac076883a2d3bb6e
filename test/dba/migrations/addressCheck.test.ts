import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../../common/root.ts';
import { withClient } from '../../../postgres/withClient.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createAccount } from '../../support/sql.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await createTestDatabase();
  await createAccount(db, 'ada');
});
afterAll(() => db.drop());

const read = (name: string) => readFile(join(root, 'migrations', 'committed', name), 'utf8');

const isValidated = async () =>
  (await db.asAdmin(`select from pg_constraint where conname = 'users_email_check' and convalidated`)).length === 1;

test('the check of email addresses is replaced without scanning users, and validated while users can be written', async () => {
  expect(await isValidated()).toBe(true);
  const validation = /^alter table app_public\.users validate constraint users_email_check;$/m.exec(
    await read('000010-clear-what-has-expired-for-all-tenants.sql'),
  );
  const replacement = await read('000009-show-the-check-of-addresses-in-one-way.sql');
  await withClient(db.ownerUrl, async (owner) => {
    await owner.query(`begin; ${replacement}; commit`);
    expect(await isValidated()).toBe(false);
    await owner.query(`begin; ${validation?.[0]}`);
    await db.asAdmin(`set lock_timeout = '1s'; update app_public.users set username = 'ada2' where username = 'ada'`);
    await owner.query('commit');
  });
  expect(await isValidated()).toBe(true);
  await expect(db.asAdmin(`update app_public.users set email = 'Upper@example.com'`)).rejects.toMatchObject({
    constraint: 'users_email_check',
  });
});
