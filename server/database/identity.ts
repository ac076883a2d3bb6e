import type { Statement } from './statement.ts';

// `set_config(…, true)` is SET LOCAL with a bound value: both settings end with the transaction.
// Where no session lives, refuse_identity() raises and the statement behind this one does not run.
const tenantText = `select set_config('role', 'hedgerow_tenant', true),
  set_config('app.current_user_id', coalesce((
    select s.user_id::text
    from app_private.sessions s join app_private.credentials c on c.user_id = s.user_id
    where s.id = $2 and s.user_id = $1 and s.revoked_at is null and s.expires_at > now() and c.is_active
  ), app_private.refuse_identity()), true)`;

// The same, and the transaction in which the user last wrote, as far as this server knows.
const writtenText = `${tenantText},
  (select w.transaction::text from app_private.last_writes w where w.user_id = $1) as written`;

const writeText = `insert into app_private.last_writes (user_id, transaction) values ($1, pg_current_xact_id())
  on conflict (user_id) do update set transaction = excluded.transaction`;

const roleText = `select set_config('role', $1, true), set_config('app.current_user_id', '', true)`;

/** What a tenant's identity has beside where there is a replica. */
export interface Freshness {
  /** Establishes the identity, and answers with `written`: the user's last write that this server has. */
  readonly check: Statement;
  /** Go behind a tenant's write, in its transaction, and note it. */
  readonly note: readonly Statement[];
}

/**
 * Who a transaction speaks for. SQL runs only with one of these, and this is the only place that makes them: what it
 * holds is the statement that turns the authenticator's connection into that identity, in the same transaction.
 */
export class Identity {
  readonly statement: Statement;
  readonly #userId: string | undefined;

  private constructor(statement: Statement, userId?: string) {
    this.statement = Object.freeze(statement);
    this.#userId = userId;
  }

  /** A signed-in user: both ids from a verified access token. Whether the session still lives is asked each time. */
  static tenant(userId: string, sessionId: string): Identity {
    return new Identity(
      { name: 'hedgerow_tenant', text: tenantText, values: [userId, sessionId], discard: true },
      userId,
    );
  }

  /** Sign-in itself, which reaches accounts and sessions, and no tenant's rows. */
  static readonly signIn = new Identity(becoming('hedgerow_auth'));

  /** What the API's schema is read as: a tenant's grants without a tenant, so not one row. */
  static readonly nobody = new Identity(becoming('hedgerow_tenant'));

  /** Undefined for identities that are no tenant's. */
  get freshness(): Freshness | undefined {
    if (this.#userId === undefined) return undefined;
    const { values } = this.statement;
    return {
      check: { name: 'hedgerow_written', text: writtenText, values: values ?? [] },
      note: [becoming('hedgerow_auth'), { name: 'hedgerow_write', text: writeText, values: [this.#userId] }],
    };
  }
}

function becoming(role: 'hedgerow_auth' | 'hedgerow_tenant'): Statement {
  return { name: 'hedgerow_role', text: roleText, values: [role], discard: true };
}

/** SQLSTATE that refuse_identity() raises. */
export const identityRefused = 'HR401';
