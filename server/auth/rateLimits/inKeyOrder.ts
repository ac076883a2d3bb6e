import type { Result, Statement } from '../../../postgres/statement.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** The database client of a limiter. Each statement touches one row; its key is the statement's first value. */
export type CounterClient = Pick<IdentifiedClient, 'query'>;

/**
 * Returns a client that sends the statements of one tick in key order. The statements of one tick share a transaction, so
 * transactions of all instances lock rows in one order. This avoids deadlocks.
 */
export function inKeyOrder(client: CounterClient): CounterClient {
  let waiting: { key: string; send(): void }[] = [];
  const flush = () => {
    const sorted = waiting.sort((one, other) => (one.key < other.key ? -1 : 1));
    waiting = [];
    for (const { send } of sorted) send();
  };
  return {
    query: <Row>(statement: Statement) =>
      new Promise<Result<Row>>((resolve, reject) => {
        const send = () => void client.query<Row>(statement).then(resolve, reject);
        // The flush runs after pending microtasks, because a limiter awaits its connection before it queries.
        if (waiting.push({ key: String(statement.values?.[0]), send }) === 1) process.nextTick(flush);
      }),
  };
}
