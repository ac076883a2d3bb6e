import { setTimeout as sleep } from 'node:timers/promises';
import { killBackends } from '../../isolation/interleaving/backends.ts';
import type { TestDatabase } from '../support/database.ts';
import { lockRows, waitUntilBlocking } from './slow.ts';
import type { FaultInjection } from './testRequest.ts';
import { newTitle, payload, type RequestInputs, type TestRequest } from './testRequest.ts';
import { writing } from './writes.ts';

/** Runs the server's transactions at REPEATABLE READ, where concurrent changes of one row conflict. */
export async function repeatableRead({ db, roundIsOver: over, count: did }: FaultInjection): Promise<void> {
  const [{ name } = { name: '' }] = await db.asAdmin<{ name: string }>('select current_database() as name');
  const setting = `alter role hedgerow_authenticator in database ${name}`;
  await db.asAdmin(`${setting} set default_transaction_isolation = 'repeatable read'`);
  // Open connections keep their isolation level.
  did('a backend killed', await killBackends(db));
  while (!over()) await sleep(20);
  await db.asAdmin(`${setting} reset default_transaction_isolation`);
  did('a backend killed', await killBackends(db));
}

/** Causes a real serialization failure: changes the row and commits while the tenant's update waits for it. */
export function serializationFailure(inputs: RequestInputs, db: TestDatabase): TestRequest | undefined {
  const row = inputs.tenant.expected.certainRows()[0];
  if (!row) return undefined;
  const title = newTitle(inputs);
  return {
    kind: 'serialization failure',
    payload: payload(writing.update, { rowId: row.rowId, patch: { title } }),
    // On a busy machine, lock_timeout may pass before this test commits.
    codes: ['CONFLICT', 'TIMEOUT'],
    maySucceed: true,
    settle: inputs.tenant.expected.expectChange(row.rowId, title),
    before: async () => {
      const client = await lockRows(db, [row.rowId]);
      const done = waitUntilBlocking(client, db)
        .then(() => client.query('update app_public.todos set completed = not completed where id = $1', [row.rowId]))
        .then(() => client.query('commit'))
        .catch(() => {});
      return async () => {
        await done;
        await client.end();
      };
    },
  };
}
