import type { Statement } from './statement.ts';

// `set_config(…, true)` is SET LOCAL with a bound value: both settings end with the transaction.
// Where no session lives, refuse_identity() raises and the statement behind this one does not run.
const tenantText = `select set_config('role', 'hedgerow_tenant', true),
  set_config('app.current_user_id', coalesce((
    select s.user_id::text
    from app_private.sessions s join app_private.credentials c on c.user_id = s.user_id
    where s.id = $2 and s.user_id = $1 and s.revoked_at is null and s.expires_at > now() and c.is_active
  ), app_private.refuse_identity()), true)`;

const roleText = `select set_config('role', $1, true), set_config('app.current_user_id', '', true)`;

/**
 * Who a transaction speaks for. SQL runs only with one of these, and this is the only place that makes them: what it
 * holds is the statement that turns the authenticator's connection into that identity, in the same transaction.
 */
export class Identity {
  readonly statement: Statement;

  private constructor(statement: Statement) {
    this.statement = Object.freeze(statement);
  }

  /** A signed-in user: both ids from a verified access token. Whether the session still lives is asked each time. */
  static tenant(userId: string, sessionId: string): Identity {
    return new Identity({ name: 'hedgerow_tenant', text: tenantText, values: [userId, sessionId] });
  }

  /** Sign-in itself, which reaches accounts and sessions, and no tenant's rows. */
  static readonly signIn = new Identity({ name: 'hedgerow_role', text: roleText, values: ['hedgerow_auth'] });

  /** What the API's schema is read as: a tenant's grants without a tenant, so not one row. */
  static readonly nobody = new Identity({ name: 'hedgerow_role', text: roleText, values: ['hedgerow_tenant'] });
}

/** SQLSTATE that refuse_identity() raises. */
export const identityRefused = 'HR401';
