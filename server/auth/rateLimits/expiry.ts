import type { Logger } from 'pino';
import type { Statement } from '../../../postgres/statement.ts';
import type { IdentifiedClient } from '../../tenancy/tenantDatabase.ts';

/** Milliseconds between two cleanups. */
const interval = 5 * 60_000;

/** Milliseconds to keep a row after it expires, because the clocks of instances differ. */
const margin = 60_000;

/** The maximum number of rows for one statement, so that it stays within its time limit. */
const chunk = 10_000;

/** Milliseconds between two cleanups of the audit log. It is rare, because it reads the whole log. */
const auditInterval = 24 * 60 * 60_000;

const statements = {
  // `skip locked` keeps rows that another transaction is updating.
  rateLimits: (): Statement => ({
    name: 'clear-rate-limits',
    text: `delete from app_private.rate_limits where key in (
      select key from app_private.rate_limits where expire < $1 limit $2 for update skip locked)`,
    values: [Date.now() - margin, chunk],
  }),
  // Deletes keys of all tenants. The policies hide keys of the last 24 hours from the role of sign-in.
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

/** Deletes expired rate limits and idempotency keys. */
export async function clearExpired(client: IdentifiedClient): Promise<void> {
  await clear(client, statements.rateLimits);
  await clear(client, statements.idempotencyKeys);
}

/** Deletes audit log entries older than `days`. Entries of the last 30 days always stay. */
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
 * Starts a timer that deletes expired rows every five minutes, and old audit log entries once a day. The timer does not
 * keep the process alive.
 *
 * @param auditRetentionDays days to keep audit log entries; `undefined` keeps them forever.
 * @returns a function that stops the timer and resolves when no cleanup is running.
 */
export function startCleanup(
  client: IdentifiedClient,
  auditRetentionDays: number | undefined,
  log: Logger,
): () => Promise<void> {
  let running = Promise.resolve();
  let lastAuditCleanup = Number.NEGATIVE_INFINITY;
  const run = async () => {
    await clearExpired(client);
    if (auditRetentionDays === undefined || performance.now() - lastAuditCleanup < auditInterval) return;
    lastAuditCleanup = performance.now();
    await clearAuditLog(client, auditRetentionDays);
  };
  const timer = setInterval(() => {
    running = run().catch((err) => log.warn({ err }, 'expired rows could not be deleted'));
  }, interval).unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}
