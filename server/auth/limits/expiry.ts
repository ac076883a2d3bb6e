import type { Logger } from 'pino';
import type { IdentifiedClient } from '../../database/database.ts';

/** Milliseconds between two clearings. */
const interval = 5 * 60_000;

/** Milliseconds that a row is kept for after its end: the clocks of instances differ. */
const margin = 60_000;

/** Rows that one statement deletes, so that none of them runs into its time limit. */
const chunk = 10_000;

/** Removes the rows of `app_private.rate_limits` whose time is over. A row that somebody counts in just now stays. */
export async function clearExpired(client: IdentifiedClient): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query({
      name: 'clear-rate-limits',
      text: `delete from app_private.rate_limits where key in (
        select key from app_private.rate_limits where expire < $1 limit $2 for update skip locked)`,
      values: [Date.now() - margin, chunk],
    });
    if ((rowCount ?? 0) < chunk) return;
  }
}

/**
 * Clears now and then for as long as the process lives, and keeps it from ending for no moment longer.
 *
 * @returns what ends it, and resolves when no statement of its own is under way.
 */
export function clearRegularly(client: IdentifiedClient, log: Logger): () => Promise<void> {
  let clearing = Promise.resolve();
  const timer = setInterval(() => {
    clearing = clearExpired(client).catch((err) => log.warn({ err }, 'expired limits could not be cleared'));
  }, interval).unref();
  return () => {
    clearInterval(timer);
    return clearing;
  };
}
