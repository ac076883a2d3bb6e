import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';
import { Problem, unauthenticated } from '../http/problem.ts';

type Role = 'hedgerow_auth' | 'hedgerow_tenant';

/** The session or the external token that signs a user in: parameters of the identity statement after the user's id, $1. */
interface SignIn {
  /** Part of the statements' names. */
  readonly name: string;
  /** A query that finds the user's id if the user is active and the sign-in is valid. */
  readonly query: string;
  readonly parameters: number;
}

const bySession: SignIn = {
  name: '',
  query: `
    select s.user_id::text
    from app_private.sessions s join app_private.credentials c on c.user_id = s.user_id
    where s.id = $2 and s.user_id = $1 and s.revoked_at is null and s.expires_at > now() and c.is_active
  `,
  parameters: 2,
};

const byExternalToken: SignIn = {
  name: 'external_',
  query: `
    select e.user_id::text
    from app_private.external_identities e join app_private.credentials c on c.user_id = e.user_id
    where e.issuer = $2 and e.subject = $3 and e.user_id = $1 and e.not_before < to_timestamp($4) and c.is_active
  `,
  parameters: 4,
};

// Settings of a transaction that acts for no organization. They are sent too, so that nothing depends on an earlier
// transaction of the connection.
const noOrganization = `set_config('app.current_organization_id', '', true), set_config('app.current_member_role', '', true)`;

// `set_config(…, true)` is SET LOCAL with a bound value: all settings end with the transaction. If the token is no longer
// valid or the user is not a member, refuse_identity() or refuse_membership() raises an error, and the following statements
// do not run. Postgres evaluates the columns in their order, so that an ended session is refused before the membership.
const establish = (role: Role, { query, parameters }: SignIn, forOrganization: boolean) => {
  const user = `select set_config('role', '${role}', true),
  set_config('app.current_user_id', coalesce((${query}), app_private.refuse_identity()), true)`;
  if (!forOrganization) return { text: user, settings: noOrganization, from: '' };
  return {
    text: user,
    settings: `set_config('app.current_organization_id', coalesce(m.organization_id::text, app_private.refuse_membership()), true),
  set_config('app.current_member_role', m.role, true)`,
    from: `
  from (select) one left join app_public.organization_members m
    on m.organization_id = $${parameters + 1} and m.user_id = $1`,
  };
};

/** Statements that establish the identity of a tenant or an account. All share their parameters. */
interface IdentityTexts {
  readonly tenant: NamedText;
  readonly pipelined: NamedText;
  readonly bypassing: NamedText;
  readonly written: NamedText;
  readonly writtenBypassing: NamedText;
  readonly account: NamedText;
}

function textsOf(signIn: SignIn, forOrganization: boolean): IdentityTexts {
  const named = (name: string, role: Role, more = ''): NamedText => {
    const { text, settings, from } = establish(role, signIn, forOrganization);
    const member = forOrganization ? 'member_' : '';
    return { name: `hedgerow_${signIn.name}${member}${name}`, text: `${text}, ${settings}${more}${from}` };
  };
  // Other transactions wait behind a pipelined statement, so it has 50 ms. A slower one rolls back and runs again on an
  // exclusive connection.
  const pipelined = ", set_config('statement_timeout', '50', true)";
  // Statements outside of the pipelines have less time than the role's statement_timeout, because their connection share is
  // small.
  const bypassing = ", set_config('statement_timeout', '4000', true)";
  // Also returns what a replica must have replayed: the transaction of the user's last write, and the role of a member.
  const lastWrite = '(select w.transaction::text from app_private.last_writes w where w.user_id = $1)';
  const written = `,
  ${forOrganization ? `concat_ws(' ', m.role, ${lastWrite})` : lastWrite} as written`;
  return {
    tenant: named('tenant', 'hedgerow_tenant'),
    pipelined: named('tenant_pipelined', 'hedgerow_tenant', pipelined),
    bypassing: named('tenant_bypassing', 'hedgerow_tenant', bypassing),
    written: named('written', 'hedgerow_tenant', written),
    writtenBypassing: named('written_bypassing', 'hedgerow_tenant', written + bypassing),
    account: named('account', 'hedgerow_auth'),
  };
}

const texts = {
  session: { personal: textsOf(bySession, false), organization: textsOf(bySession, true) },
  external: { personal: textsOf(byExternalToken, false), organization: textsOf(byExternalToken, true) },
};

const writeText = `insert into app_private.last_writes (user_id, transaction) values ($1, pg_current_xact_id())
  on conflict (user_id) do update set transaction = excluded.transaction`;

const roleText = `select set_config('role', $1, true), set_config('app.current_user_id', '', true), ${noOrganization}`;

/** Claims of a verified token from a trusted issuer. */
export interface ExternalToken {
  readonly issuer: string;
  readonly subject: string;
  /** Earliest possible time of issue, in seconds since 1970. */
  readonly issuedAt: number;
}

/** Statements of a tenant's identity that provide read-your-writes on a replica. */
export interface ReadYourWrites {
  /**
   * Establishes the identity, and returns `written`: the user's last write, and the role of a member, as far as this database
   * server has replayed them.
   */
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
  readonly #texts: Texts | undefined;
  readonly #kind: 'tenant' | 'account' | undefined;
  readonly #organization: string | undefined;

  private constructor(statement: Statement, kind?: 'tenant' | 'account', texts?: Texts, organization?: string) {
    this.statement = Object.freeze(statement);
    this.#kind = kind;
    this.#texts = texts;
    this.#organization = organization;
    const tenant = kind === 'tenant' ? this.#own : undefined;
    this.pipelined = tenant && { ...statement, ...tenant.pipelined };
    this.bypassing = tenant && { ...statement, ...tenant.bypassing };
  }

  /** A signed-in user, by the ids in a verified access token. Each transaction checks that the session is still valid. */
  static tenant(userId: string, sessionId: string): Identity {
    return Identity.#ofUser('tenant', texts.session, userId, [sessionId]);
  }

  /** A signed-in user's account: the role of sign-in, while the session is valid. `current_user_id()` is the user. */
  static account(userId: string, sessionId: string): Identity {
    return Identity.#ofUser('account', texts.session, userId, [sessionId]);
  }

  /** As `tenant`, with a verified token of a trusted issuer instead of a session. */
  static externalTenant(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    return Identity.#ofUser('tenant', texts.external, userId, [issuer, subject, issuedAt]);
  }

  /** As `account`, with a verified token of a trusted issuer instead of a session. */
  static externalAccount(userId: string, { issuer, subject, issuedAt }: ExternalToken): Identity {
    return Identity.#ofUser('account', texts.external, userId, [issuer, subject, issuedAt]);
  }

  static #ofUser(kind: 'tenant' | 'account', of: Texts, userId: string, rest: readonly unknown[]): Identity {
    return new Identity(establishUser(of.personal[kind], userId, rest), kind, of);
  }

  /**
   * The same user, acting for this organization and no other. Each transaction checks that the user is still a member, and
   * sets the organization and the user's role.
   *
   * @param organizationId a UUID.
   * @throws TypeError for identities without a user.
   */
  actingFor(organizationId: string): Identity {
    if (!this.#kind || !this.#texts) throw new TypeError('Only a user can act for an organization');
    const { values = [] } = this.statement;
    const [userId, ...rest] = values.slice(0, this.#organization === undefined ? undefined : -1);
    const named = this.#texts.organization[this.#kind];
    const statement = establishUser(named, userId as string, [...rest, organizationId]);
    return new Identity(statement, this.#kind, this.#texts, organizationId);
  }

  get #own(): IdentityTexts | undefined {
    return this.#texts?.[this.#organization === undefined ? 'personal' : 'organization'];
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
    const own = this.#own;
    if (this.#kind !== 'tenant' || !own) return undefined;
    const { values = [], expectedUserId } = this.statement;
    const check: Statement = { ...own.written, values, ...(expectedUserId !== undefined && { expectedUserId }) };
    return {
      check,
      bypassing: { ...check, ...own.writtenBypassing },
      note: [setRole('hedgerow_auth'), { name: 'hedgerow_write', text: writeText, values: [values[0]] }],
    };
  }
}

type Texts = Readonly<Record<'personal' | 'organization', IdentityTexts>>;

function establishUser(named: NamedText, userId: string, rest: readonly unknown[]): Statement {
  return { ...named, values: [userId, ...rest], discard: true, expectedUserId: String(userId).toLowerCase() };
}

function setRole(role: Role): Statement {
  return { name: 'hedgerow_role', text: roleText, values: [role], discard: true, expectedUserId: '' };
}

/** The token's session has ended, or its user is deleted or inactive. */
export class IdentityRefusedError extends Problem {
  constructor(cause: unknown, { status, message, headers }: Problem = unauthenticated()) {
    super(status, message, { headers });
    this.cause = cause;
  }
}

/**
 * The user is not a member of the organization, or there is no such organization. Clients cannot distinguish these cases.
 */
export class MembershipRefusedError extends IdentityRefusedError {
  constructor(cause: unknown) {
    super(cause, new Problem(403, 'You are not a member of this organization.'));
  }
}

/** SQLSTATEs that refuse_identity() and refuse_membership() raise. */
const refusals: Readonly<Record<string, new (cause: unknown) => IdentityRefusedError>> = {
  HR401: IdentityRefusedError,
  HR403: MembershipRefusedError,
};

/** Returns an IdentityRefusedError if Postgres rejected the identity, and otherwise `error` itself. */
export function refusal(error: unknown): unknown {
  const Refused = refusals[(error as pg.DatabaseError).code ?? ''];
  return Refused ? new Refused(error) : error;
}
