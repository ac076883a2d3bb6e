import type { Statement } from '../../postgres/statement.ts';
import type { Origin } from './origin.ts';

/** Event names in `app_private.audit_log`. */
export type AuditEvent =
  | 'account_deactivated'
  | 'account_deleted'
  | 'account_exported'
  | 'email_verified'
  | 'invitation_accepted'
  | 'invitation_revoked'
  | 'logged_in'
  | 'logged_out'
  | 'logged_out_everywhere'
  | 'login_failed'
  | 'member_invited'
  | 'member_removed'
  | 'member_role_changed'
  | 'organization_created'
  | 'organization_deleted'
  | 'organization_exported'
  | 'password_change_failed'
  | 'password_changed'
  | 'password_check_failed'
  | 'password_reset'
  | 'password_reset_asked'
  | 'refresh_token_replayed'
  | 'registered'
  | 'session_ended';

/** A signed-in user, and the session. */
export interface Actor {
  readonly userId: string;
  readonly sessionId: string | undefined;
}

/** The user who acts, and the organization and member of the event. */
interface AuditSubject {
  readonly userId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly organizationId?: string | undefined;
  /** The member of the organization whom the event concerns. */
  readonly memberId?: string | undefined;
}

/** Builds the statement that writes one audit log entry. Run it in the transaction that it records. */
export function audit(
  event: AuditEvent,
  { address, userAgent }: Origin,
  { userId, sessionId, organizationId, memberId }: AuditSubject = {},
): Statement {
  return {
    name: 'audit',
    text: `insert into app_private.audit_log (user_id, session_id, event, address, user_agent, organization_id, member_id)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      userId ?? null,
      sessionId ?? null,
      event,
      address ?? null,
      userAgent ?? null,
      organizationId ?? null,
      memberId ?? null,
    ],
  };
}
