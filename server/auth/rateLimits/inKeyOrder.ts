import type { Result, Statement } from '../../../postgres/statement.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** What a limiter asks of the database: each statement touches one row, whose key is its first value. */
export type Counters = Pick<IdentifiedClient, 'query'>;

/**
 * Asks for the statements of one tick in the order of their keys. They share transactions, of this and of other
 * instances at once: rows that all of them lock in one order make no deadlock.
 */
export function inKeyOrder(client: Counters): Counters {
  let waiting: { key: string; ask(): void }[] = [];
  const flush = () => {
    const asked = waiting.sort((one, other) => (one.key < other.key ? -1 : 1));
    waiting = [];
    for (const { ask } of asked) ask();
  };
  return {
    query: <Row>(statement: Statement) =>
      new Promise<Result<Row>>((resolve, reject) => {
        const ask = () => void client.query<Row>(statement).then(resolve, reject);
        // After the microtasks that are due: the limiter awaits its connection before it asks.
        if (waiting.push({ key: String(statement.values?.[0]), ask }) === 1) process.nextTick(flush);
      }),
  };
}
