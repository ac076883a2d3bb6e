import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type OneAtATime, oneAtATime } from '../common/oneAtATime.ts';
import { PostgresClient } from '../postgres/client.ts';
import { clientOptions } from '../postgres/connectionString.ts';

/** What `.gmrc` has graphile-migrate notify after each change of the schema (`migrations/notify.sql`). */
const channel = 'hedgerow_schema';

/** Milliseconds after which a lost connection is tried again. */
const pause = 1000;

/** Hears of each migration that is applied to a database. */
export interface SchemaChanges {
  /** Calls `changed` for what was heard of so far, and from then on: one call at a time, never rejecting. */
  follow(changed: () => Promise<void>): void;
  close(): Promise<void>;
}

/**
 * Listens to the database of `url`, for development alone: it keeps a connection open. Where that was lost, a change may
 * have been missed, and counts as heard of.
 *
 * @returns once it listens, or the first try has failed; then it is tried again.
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
      // It is tried again.
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
