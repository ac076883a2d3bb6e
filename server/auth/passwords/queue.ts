import { availableParallelism } from 'node:os';
import pLimit from 'p-limit';
import type { Registry } from 'prom-client';
import type { Cancellation } from '../../../postgres/cancellation.ts';
import { Problem } from '../../http/problem.ts';
import { readMetrics } from '../../http/readMetrics.ts';

/**
 * Passwords that are hashed at a time. One core is left to the rest of the server; and libuv has four threads, which
 * look up names and read files too.
 */
const concurrency = Math.min(4, Math.max(1, availableParallelism() - 1));

/** Requests that wait for their turn, at most: on one core, at 30 to 60 ms each, two or three seconds' worth. */
const longest = 50;

/** Seconds after which the queue, full as it was, has most likely been worked off. */
const retryAfter = 3;

const turns = pLimit(concurrency);

/**
 * Refuses at once what would be refused when it comes to hashing: a flood then costs the database nothing.
 *
 * @throws Problem 503 when too many are waiting already.
 */
export function refuseWhenFull(): void {
  if (turns.pendingCount < longest) return;
  throw new Problem(503, 'Too many passwords are being checked right now. Try again shortly.', {
    headers: { 'Retry-After': String(retryAfter) },
  });
}

/**
 * Runs `work` when its turn has come, unless the request was given up by then.
 *
 * @throws Problem as refuseWhenFull; CancelledError.
 */
export async function inTurn<T>(work: () => Promise<T>, cancellation?: Cancellation): Promise<T> {
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

/** Passwords that wait to be hashed or checked. */
export function passwordHashesWaiting(): number {
  return turns.pendingCount;
}
