import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';
import { Problem, unauthenticated } from '../http/problem.ts';

type Role = 'hedgerow_auth' | 'hedgerow_tenant';

// `set_config(…, true)` is SET LOCAL with a bound value: both settings end with the transaction.
// If the token is no longer valid, refuse_identity() raises an error, and the following statements do not run.
const establish = (role: Role, user: string) => `select set_config('role', '${role}', true),
  set_config('app.current_user_id', coalesce((${user}), app_private.refuse_identity()), true)`;

// Other transactions wait behind a pipelined statement, so it has 50 ms. A slower one rolls back and runs again on an
// exclusive connection.
const pipelined = (text: string) => `${text}, set_config('statement_timeout', '50', true)`;

const ofSession = `
    select s.user_id::text
    from app_private.sessions s join app_private.credentials c on c.user_id = s.user_id
    where s.id = $2 and s.user_id = $1 and s.revoked_at is null and s.expires_at > now() and c.is_active
  `;
const tenantText = establish('hedgerow_tenant', ofSession);
const accountText = establish('hedgerow_auth', ofSession);

const ofIssuer = `
    select e.user_id::text
    from app_private.external_identities e join app_private.credentials c on c.user_id = e.user_id
    where e.issuer = $2 and e.subject = $3 and e.user_id = $1 and e.not_before < to_timestamp($4) and c.is_active
  `;
const externalTenantText = establish('hedgerow_tenant', ofIssuer);
const externalAccountText = establish('hedgerow_auth', ofIssuer);

// Statements outside of the pipelines have less time than the role's statement_timeout, because their connection share is
// small.
const bypassing = (text: string) => `${text}, set_config('statement_timeout', '4000', true)`;

const pipelinedTenantText = pipelined(tenantText);
const pipelinedExternalTenantText = pipelined(externalTenantText);
const tenantBypassingText = bypassing(tenantText);
const externalTenantBypassingText = bypassing(externalTenantText);

// Also returns the transaction of the user's last write, as far as this database server has replayed it.
const withWritten = (text: string) => `${text},
  (select w.transaction::text from app_private.last_writes w where w.user_id = $1) as written`;
const writtenText = withWritten(tenantText);
const externalWrittenText = withWritten(externalTenantText);

const writeText = `insert into app_private.last_writes (user_id, transaction) values ($1, pg_current_xact_id())
  on conflict (user_id) do update set transaction = excluded.transaction`;

const roleText = `select set_config('role', $1, true), set_config('app.current_user_id', '', true)`;

/** Claims of a verified token from a trusted issuer. */
export interface ExternalToken {
  readonly issuer: string;
  readonly subject: string;
  /** Earliest possible time of issue, in seconds since 1970. */
  readonly issuedAt: number;
}

/** Statements of a tenant's identity that provide read-your-writes on a replica. */
export interface ReadYourWrites {
  /** Establishes the identity, and returns `written`: the user's last write that this database server has replayed. */
  readonly check: Statement;
  /** As `check`, with the 4 s of a read that bypasses pipelining. */
  readonly bypassing: Statement;
  /** Records a tenant's write. These statements follow the write, in its transaction. */
  readonly note: readonly Statement[];
}

type NamedText = { readonly name: string; readonly text: string };

/**
 * The identity that a transaction runs as. An Identity is required to run SQL, and only this class creates one. It holds
 * the statement that gives the authenticator's connection this identity, for one transaction.
 */
export class Identity {
  /** Establishes the identity with the role's statement timeout. */
  readonly statement: Statement;
  /** Establishes a tenant's identity for a pipelined transaction: statements have 50 ms, and then SQLSTATE 57014. */
  readonly pipelined: Statement | undefined;
  /**
   * Establishes a tenant's identity for an explicit transaction, or for one that bypasses pipelining: statements have 4 s,
   * and then SQLSTATE 57014.
   */
  readonly bypassing: Statement | undefined;
  readonly #written: NamedText | undefined;

  private constructor(statement: Statement, tenant?: Record<'pipelined' | 'bypassing' | 'written', NamedText>) {
    this.statement = Object.freeze(statement);
    this.pipelined = tenant && { ...statement, ...tenant.pipelined };
    this.bypassing = tenant && { ...statement, ...tenant.bypassing };
    this.#written = tenant?.written;
  }

  /** A signed-in user, by the ids in a verified access token. Each transaction checks that the session is still valid. */
  static tenant(userId: string, sessionId: string): Identity {
    return new Identity(establishUser(userId, 'hedgerow_tenant', tenantText, [sessionId]), {
      pipelined: { name: 'hedgerow_tenant_pipelined', text: pipelinedTenantText },
      bypassing: { name: 'hedgerow_tenant_bypassing', text: tenantBypassingText },
      written: { name: 'hedgerow_written', text: writtenText },
    });
  }

  /** A signed-in user's account: the role of sign-in, while the session is valid. `current_user_id()` is the user. */
  static account(userId: string, sessionId: string): Identity {
    return new Identity(establishUser(userId, 'hedgerow_account', accountText, [sessionId]));
  }

  /** As `tenant`, with a verified token of a trusted issuer instead of a session. */
  static externalTenant(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    const statement = establishUser(userId, 'hedgerow_external_tenant', externalTenantText, [
      issuer,
      subject,
      issuedAt,
    ]);
    return new Identity(statement, {
      pipelined: { name: 'hedgerow_external_tenant_pipelined', text: pipelinedExternalTenantText },
      bypassing: { name: 'hedgerow_external_tenant_bypassing', text: externalTenantBypassingText },
      written: { name: 'hedgerow_external_written', text: externalWrittenText },
    });
  }

  /** As `account`, with a verified token of a trusted issuer instead of a session. */
  static externalAccount(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    return new Identity(
      establishUser(userId, 'hedgerow_external_account', externalAccountText, [issuer, subject, issuedAt]),
    );
  }

  /** The role of sign-in, which reaches accounts and sessions, and no tenant's rows. */
  static readonly signIn = new Identity(setRole('hedgerow_auth'));

  /** The role of tenants without a user: it can read the catalog and no rows. */
  static readonly nobody = new Identity(setRole('hedgerow_tenant'));

  /** Id of the user; undefined for identities without one. */
  get user(): string | undefined {
    return this.statement.expectedUserId || undefined;
  }

  /** Key of its connection shares: the user, or one key for all work without a user. No user has the id `unnamed`. */
  get fairnessKey(): string {
    return this.user ?? 'unnamed';
  }

  /** Undefined for all identities except tenants. */
  get readYourWrites(): ReadYourWrites | undefined {
    if (!this.#written) return undefined;
    const { name, text } = this.#written;
    const { values = [], expectedUserId } = this.statement;
    const check: Statement = { name, text, values, ...(expectedUserId !== undefined && { expectedUserId }) };
    return {
      check,
      bypassing: { ...check, name: `${name}_bypassing`, text: bypassing(text) },
      note: [setRole('hedgerow_auth'), { name: 'hedgerow_write', text: writeText, values: [values[0]] }],
    };
  }
}

function establishUser(userId: string, name: string, text: string, rest: readonly unknown[]): Statement {
  return { name, text, values: [userId, ...rest], discard: true, expectedUserId: String(userId).toLowerCase() };
}

function setRole(role: Role): Statement {
  return { name: 'hedgerow_role', text: roleText, values: [role], discard: true, expectedUserId: '' };
}

/** The token's session has ended, or its user is deleted or inactive. */
export class IdentityRefusedError extends Problem {
  constructor(cause: unknown) {
    const { status, message, headers } = unauthenticated();
    super(status, message, { headers });
    this.cause = cause;
  }
}

/** SQLSTATE that refuse_identity() raises. */
const identityRefused = 'HR401';

/** Returns an IdentityRefusedError if Postgres rejected the identity, and otherwise `error` itself. */
export function refusal(error: unknown): unknown {
  const refused = (error as pg.DatabaseError).code === identityRefused;
  return refused ? new IdentityRefusedError(error) : error;
}
