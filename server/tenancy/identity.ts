import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';
import { Problem, unauthenticated } from '../http/problem.ts';

type Role = 'hedgerow_auth' | 'hedgerow_tenant';

// `set_config(…, true)` is SET LOCAL with a bound value: both settings end with the transaction.
// Where the token does not hold any more, refuse_identity() raises and the statement behind this one does not run.
const establish = (role: Role, user: string) => `select set_config('role', '${role}', true),
  set_config('app.current_user_id', coalesce((${user}), app_private.refuse_identity()), true)`;

// Other transactions wait behind a pipelined statement, so it has 50 ms. A slower one rolls back and runs on a connection of its own.
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

// Statements outside of the pipelines have less time than the role's statement_timeout gives: their share of connections is small.
const bypassing = (text: string) => `${text}, set_config('statement_timeout', '4000', true)`;

const pipelinedTenantText = pipelined(tenantText);
const pipelinedExternalTenantText = pipelined(externalTenantText);
const tenantBypassingText = bypassing(tenantText);
const externalTenantBypassingText = bypassing(externalTenantText);

// A tenant's, and the transaction in which the user last wrote, as far as this server knows.
const withWritten = (text: string) => `${text},
  (select w.transaction::text from app_private.last_writes w where w.user_id = $1) as written`;
const writtenText = withWritten(tenantText);
const externalWrittenText = withWritten(externalTenantText);

const writeText = `insert into app_private.last_writes (user_id, transaction) values ($1, pg_current_xact_id())
  on conflict (user_id) do update set transaction = excluded.transaction`;

const roleText = `select set_config('role', $1, true), set_config('app.current_user_id', '', true)`;

/** What a trusted issuer's token says of itself. */
export interface ExternalToken {
  readonly issuer: string;
  readonly subject: string;
  /** The earliest that it can have been issued, in seconds since 1970. */
  readonly issuedAt: number;
}

/** What a tenant's identity has beside where there is a replica. */
export interface ReadYourWrites {
  /** Establishes the identity, and answers with `written`: the user's last write that this server has. */
  readonly check: Statement;
  /** As `check`, with the time that a read has which bypasses the pipelines. */
  readonly bypassing: Statement;
  /** Go behind a tenant's write, in its transaction, and note it. */
  readonly note: readonly Statement[];
}

type Named = { readonly name: string; readonly text: string };

/**
 * Who a transaction speaks for. SQL runs only with one of these, and this is the only place that makes them: what it
 * holds is the statement that turns the authenticator's connection into that identity, in the same transaction.
 */
export class Identity {
  readonly statement: Statement;
  /** Its tenant's statement for a transaction that others wait behind: it has 50 ms, and then SQLSTATE 57014. */
  readonly pipelined: Statement | undefined;
  /** Its tenant's statement for an explicit transaction, or one that bypasses the pipelines: 4 s, and then SQLSTATE 57014. */
  readonly bypassing: Statement | undefined;
  readonly #written: Named | undefined;

  private constructor(statement: Statement, tenant?: Record<'pipelined' | 'bypassing' | 'written', Named>) {
    this.statement = Object.freeze(statement);
    this.pipelined = tenant && { ...statement, ...tenant.pipelined };
    this.bypassing = tenant && { ...statement, ...tenant.bypassing };
    this.#written = tenant?.written;
  }

  /** A signed-in user: both ids from a verified access token. Whether the session still lives is asked each time. */
  static tenant(userId: string, sessionId: string): Identity {
    return new Identity(speaksFor(userId, 'hedgerow_tenant', tenantText, [sessionId]), {
      pipelined: { name: 'hedgerow_tenant_pipelined', text: pipelinedTenantText },
      bypassing: { name: 'hedgerow_tenant_bypassing', text: tenantBypassingText },
      written: { name: 'hedgerow_written', text: writtenText },
    });
  }

  /** A signed-in user's own account: sign-in's role, and only while the session lives. `current_user_id()` is the user. */
  static account(userId: string, sessionId: string): Identity {
    return new Identity(speaksFor(userId, 'hedgerow_account', accountText, [sessionId]));
  }

  /** As `tenant`, with a verified token of a trusted issuer in the session's place. */
  static externalTenant(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    const statement = speaksFor(userId, 'hedgerow_external_tenant', externalTenantText, [issuer, subject, issuedAt]);
    return new Identity(statement, {
      pipelined: { name: 'hedgerow_external_tenant_pipelined', text: pipelinedExternalTenantText },
      bypassing: { name: 'hedgerow_external_tenant_bypassing', text: externalTenantBypassingText },
      written: { name: 'hedgerow_external_written', text: externalWrittenText },
    });
  }

  /** As `account`, with a verified token of a trusted issuer in the session's place. */
  static externalAccount(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    return new Identity(
      speaksFor(userId, 'hedgerow_external_account', externalAccountText, [issuer, subject, issuedAt]),
    );
  }

  /** Sign-in itself, which reaches accounts and sessions, and no tenant's rows. */
  static readonly signIn = new Identity(becoming('hedgerow_auth'));

  /** What the API's schema is read as: a tenant's grants without a tenant, so not one row. */
  static readonly nobody = new Identity(becoming('hedgerow_tenant'));

  /** The user that its tenant or account is; undefined for identities without a user. */
  get user(): string | undefined {
    return this.statement.expectedUserId || undefined;
  }

  /** Undefined for identities that are no tenant's. */
  get readYourWrites(): ReadYourWrites | undefined {
    if (!this.#written) return undefined;
    const { name, text } = this.#written;
    const { values = [], expectedUserId } = this.statement;
    const check: Statement = { name, text, values, ...(expectedUserId !== undefined && { expectedUserId }) };
    return {
      check,
      bypassing: { ...check, name: `${name}_bypassing`, text: bypassing(text) },
      note: [becoming('hedgerow_auth'), { name: 'hedgerow_write', text: writeText, values: [values[0]] }],
    };
  }
}

function speaksFor(userId: string, name: string, text: string, rest: readonly unknown[]): Statement {
  return { name, text, values: [userId, ...rest], discard: true, expectedUserId: String(userId).toLowerCase() };
}

function becoming(role: Role): Statement {
  return { name: 'hedgerow_role', text: roleText, values: [role], discard: true, expectedUserId: '' };
}

/** The token's session has ended, or its user is gone or inactive. */
export class IdentityRefusedError extends Problem {
  constructor(cause: unknown) {
    const { status, message, headers } = unauthenticated();
    super(status, message, { headers });
    this.cause = cause;
  }
}

/** SQLSTATE that refuse_identity() raises. */
const identityRefused = 'HR401';

/** `error`, as IdentityRefusedError where it says that the identity does not hold. */
export function refusal(error: unknown): unknown {
  const refused = (error as pg.DatabaseError).code === identityRefused;
  return refused ? new IdentityRefusedError(error) : error;
}
