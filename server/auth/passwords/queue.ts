import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Registry } from 'prom-client';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { Problem } from '../../http/problem.ts';
import { readMetrics } from '../../http/readMetrics.ts';

/**
 * Passwords that are hashed at the same time. One core stays free for the rest of the server. The limit is four, because
 * libuv has four threads, which also resolve names and read files.
 */
const concurrency = Math.min(4, Math.max(1, availableParallelism() - 1));

/** Requests that may wait. A hash takes 30 to 60 ms, so one core works off a full queue in two or three seconds. */
const maxWaiting = 50;

/** Seconds after which a full queue has most likely been worked off. */
const retryAfter = 3;

const turns = pLimit(concurrency);

/**
 * Refuses a request while the queue is full. Call it before any database work, so that a flood costs the database nothing.
 *
 * @throws Problem 503 when too many passwords wait.
 */
export function refuseWhenFull(): void {
  if (turns.pendingCount < maxWaiting) return;
  throw new Problem(503, 'Too many passwords are being checked right now. Try again shortly.', {
    headers: { 'Retry-After': String(retryAfter) },
  });
}

/**
 * Runs `work` in its turn, unless the request is canceled by then.
 *
 * @throws Problem 503 when too many passwords wait; CancelledError.
 */
export async function queued<T>(work: () => Promise<T>, cancellation?: Cancellation): Promise<T> {
  refuseWhenFull();
  return turns(() => {
    cancellation?.check();
    return work();
  });
}

/** Adds the number of waiting passwords to the metrics. */
export function passwordMetrics(registry: Registry): void {
  const { gauge } = readMetrics(registry);
  gauge('hedgerow_password_hashes_waiting', 'Passwords that wait to be hashed or checked', passwordHashesWaiting);
}

/** Returns the number of passwords that wait to be hashed or checked. */
export function passwordHashesWaiting(): number {
  return turns.pendingCount;
}
