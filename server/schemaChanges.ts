import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { clientOptions } from './database/connectionString.ts';

/** What `.gmrc` has graphile-migrate notify after each change of the schema (`migrations/notify.sql`). */
const channel = 'hedgerow_schema';

/** Milliseconds after which a lost connection is tried again. */
const pause = 1000;

/**
 * Calls `changed` each time that a migration was applied to the database of `url`, for development alone: it keeps a
 * connection open. One call at a time; what comes meanwhile is one more call.
 *
 * @returns what ends it.
 */
export function watchSchema(url: string, changed: () => Promise<void>): () => Promise<void> {
  const ending = new AbortController();
  let calling: Promise<void> | undefined;
  let again = false;
  const call = async () => {
    do {
      again = false;
      await changed();
    } while (again);
    calling = undefined;
  };
  const listen = async () => {
    const client = new pg.Client(clientOptions(url));
    const lost = new Promise<void>((resolve) => {
      client.on('error', () => resolve()).on('end', resolve);
      ending.signal.addEventListener('abort', () => resolve());
    });
    client.on('notification', () => {
      again = true;
      calling ??= call();
    });
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      await lost;
    } catch {
      // It is tried again.
    } finally {
      await client.end().catch(() => {});
    }
  };
  const listening = (async () => {
    while (!ending.signal.aborted) {
      await listen();
      await sleep(pause, undefined, { signal: ending.signal, ref: false }).catch(() => {});
    }
  })();
  return async () => {
    ending.abort();
    await listening;
    await calling;
  };
}
