import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type OneAtATime, oneAtATime } from '../common/oneAtATime.ts';
import { PostgresClient } from '../postgres/client.ts';
import { clientOptions } from '../postgres/connectionString.ts';

/** Channel that graphile-migrate notifies after each schema change, as `.gmrc` says (`migrations/notify.sql`). */
const channel = 'hedgerow_schema';

/** Milliseconds before the next attempt to connect. */
const pause = 1000;

/** Reports each migration that is applied to a database. */
export interface SchemaChanges {
  /** Calls `changed` for earlier and later changes, one call at a time. @param changed must not reject. */
  follow(changed: () => Promise<void>): void;
  close(): Promise<void>;
}

/**
 * Listens for schema changes in the database of `url`. It keeps a connection open, so use it for development only. A
 * reconnect counts as a change, because the listener may have missed one.
 *
 * @returns once it listens or the first attempt has failed. Failed attempts are repeated.
 */
export async function watchSchema(url: string): Promise<SchemaChanges> {
  const ending = new AbortController();
  let heard = false;
  let reading: OneAtATime | undefined;
  const hear = () => {
    heard = true;
    reading?.call();
  };
  const listen = async (listening: () => void) => {
    let client: pg.Client | undefined;
    try {
      client = new PostgresClient({ ...clientOptions(url), connectionTimeoutMillis: 5000 });
      const lost = Promise.withResolvers<void>();
      client.on('error', () => lost.resolve()).on('end', lost.resolve);
      ending.signal.addEventListener('abort', () => lost.resolve());
      client.on('notification', hear);
      await client.connect();
      await client.query(`listen ${channel}`);
      listening();
      await lost.promise;
    } catch {
      // The loop below connects again.
    } finally {
      await client?.end().catch(() => {});
    }
  };
  const first = Promise.withResolvers<void>();
  const ended = (async () => {
    for (let listening: () => void = first.resolve; !ending.signal.aborted; listening = hear) {
      await listen(listening);
      first.resolve();
      await sleep(pause, undefined, { signal: ending.signal, ref: false }).catch(() => {});
    }
  })();
  await first.promise;
  return {
    follow: (changed) => {
      reading = oneAtATime(changed);
      if (heard) reading.call();
    },
    close: async () => {
      ending.abort();
      await ended;
      await reading?.idle();
    },
  };
}
