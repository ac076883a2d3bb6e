import type { Logger } from 'pino';
import type { Statement } from '../../../postgres/statement.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** Milliseconds between two clearings. */
const interval = 5 * 60_000;

/** Milliseconds that a row is kept for after its end: the clocks of instances differ. */
const margin = 60_000;

/** Rows that one statement deletes, so that none of them runs into its time limit. */
const chunk = 10_000;

/** Milliseconds between two clearings of the audit log, which reads all of it. */
const auditInterval = 24 * 60 * 60_000;

const statements = {
  // A row that somebody counts in just now stays.
  rateLimits: (): Statement => ({
    name: 'clear-rate-limits',
    text: `delete from app_private.rate_limits where key in (
      select key from app_private.rate_limits where expire < $1 limit $2 for update skip locked)`,
    values: [Date.now() - margin, chunk],
  }),
  // Of all tenants: the policies let sign-in's role reach keys of the last 24 hours in no way.
  idempotencyKeys: (): Statement => ({
    name: 'clear-idempotency-keys',
    text: `delete from app_public.idempotency_keys where (user_id, key) in (
      select user_id, key from app_public.idempotency_keys where created_at < now() - interval '24 hours' limit $1)`,
    values: [chunk],
  }),
  auditLog: (days: number): Statement => ({
    name: 'clear-audit-log',
    text: `delete from app_private.audit_log where id in (
      select id from app_private.audit_log where created_at < now() - make_interval(days => $1) limit $2)`,
    values: [days, chunk],
  }),
};

/** Removes the rate limits and the idempotency keys whose time is over. */
export async function clearExpired(client: IdentifiedClient): Promise<void> {
  await clear(client, statements.rateLimits);
  await clear(client, statements.idempotencyKeys);
}

/** Removes the lines of the audit log that are older than `days`; no line of the last 30 days, whatever is given. */
export function clearAuditLog(client: IdentifiedClient, days: number): Promise<void> {
  return clear(client, () => statements.auditLog(days));
}

async function clear(client: IdentifiedClient, statement: () => Statement): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(statement());
    if ((rowCount ?? 0) < chunk) return;
  }
}

/**
 * Clears now and then for as long as the process lives, and keeps it from ending for no moment longer.
 *
 * @param auditRetentionDays days that lines of the audit log are kept for; undefined keeps them forever.
 * @returns a function that stops the clearing, and resolves when no statement of its own is under way.
 */
export function clearRegularly(
  client: IdentifiedClient,
  auditRetentionDays: number | undefined,
  log: Logger,
): () => Promise<void> {
  let clearing = Promise.resolve();
  let auditCleared = Number.NEGATIVE_INFINITY;
  const run = async () => {
    await clearExpired(client);
    if (auditRetentionDays === undefined || performance.now() - auditCleared < auditInterval) return;
    auditCleared = performance.now();
    await clearAuditLog(client, auditRetentionDays);
  };
  const timer = setInterval(() => {
    clearing = run().catch((err) => log.warn({ err }, 'expired rows could not be cleared'));
  }, interval).unref();
  return () => {
    clearInterval(timer);
    return clearing;
  };
}
