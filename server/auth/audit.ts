import type { Statement } from '../../postgres/statement.ts';
import type { Origin } from './origin.ts';

/** Event names in `app_private.audit_log`. */
export type AuditEvent =
  | 'account_deactivated'
  | 'account_deleted'
  | 'account_exported'
  | 'email_verified'
  | 'logged_in'
  | 'logged_out'
  | 'logged_out_everywhere'
  | 'login_failed'
  | 'password_change_failed'
  | 'password_changed'
  | 'password_check_failed'
  | 'password_reset'
  | 'password_reset_asked'
  | 'refresh_token_replayed'
  | 'registered'
  | 'session_ended';

/** Builds the statement that writes one audit log entry. Run it in the transaction that it records. */
export function audit(
  event: AuditEvent,
  { address, userAgent }: Origin,
  { userId, sessionId }: { userId?: string | undefined; sessionId?: string | undefined } = {},
): Statement {
  return {
    name: 'audit',
    text: `insert into app_private.audit_log (user_id, session_id, event, address, user_agent)
      values ($1, $2, $3, $4, $5)`,
    values: [userId ?? null, sessionId ?? null, event, address ?? null, userAgent ?? null],
  };
}
