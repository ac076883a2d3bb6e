import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Logger } from 'pino';
import { isSafeError } from 'postgraphile/grafast';
import { GraphQLError } from 'postgraphile/graphql';
import { CancelledError } from '../../postgres/cancellation.ts';
import { isUnavailable } from '../../postgres/connectionErrors.ts';
import { IdentityRefusedError, MembershipRefusedError } from '../tenancy/identity.ts';
import type { Constraints } from './constraints.ts';
import { isServerFault, type SentStatement } from './dataExceptions.ts';
import type { RoleRefusals } from './roleRefusals.ts';
import type { UpdateRefusals } from './updateRefusals.ts';

/** The row does not exist, or the tenant cannot see it. */
export class RowNotFoundError extends Error {}

/** The error of one item in a bulk mutation. */
export class ItemError extends Error {
  /** The zero-based index of the item. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super('an item failed', { cause });
    this.index = index;
  }
}

interface PublicError {
  readonly code: string;
  readonly message: string;
  /** The invalid input field, if it is known. */
  readonly field?: string | undefined;
}

/** Client errors by SQLSTATE. */
const bySqlState: Readonly<Record<string, PublicError>> = {
  '23001': { code: 'CONFLICT', message: 'Other rows refer to this one.' },
  '40001': { code: 'CONFLICT', message: 'Another request changed the same rows at the same time. Try again.' },
  '40P01': { code: 'CONFLICT', message: 'Another request changed the same rows at the same time. Try again.' },
  '428C9': { code: 'BAD_USER_INPUT', message: 'The input has a value that only the database generates. Omit it.' },
  '55P03': { code: 'TIMEOUT', message: 'Another request is changing the same rows. Try again.' },
  '57014': { code: 'TIMEOUT', message: 'The request took too long.' },
};

/** Messages for constraints without a comment. `field` is the name of the field, or `a value`. */
const byConstraint: Readonly<Record<string, { code: string; message: (field: string) => string }>> = {
  '23502': { code: 'BAD_USER_INPUT', message: (field) => `${field} must not be null` },
  '23503': { code: 'BAD_USER_INPUT', message: (field) => `${field} must name a row of yours` },
  '23505': { code: 'CONFLICT', message: (field) => `${field} is already in use` },
  '23514': { code: 'BAD_USER_INPUT', message: (field) => `${field} must not have this value` },
  '23P01': { code: 'CONFLICT', message: (field) => `${field} conflicts with an existing row` },
};

/** The SQLSTATE with which a function refuses its input. Clients get its message. */
const inputRefused = 'HR400';

/** A new row fails the check of a policy or view. A missing grant has the same SQLSTATE as a policy (42501). */
const isRefusedByCheck = ({ code, routine }: pg.DatabaseError) =>
  code === '44000' || (code === '42501' && routine === 'ExecWithCheckOptions');

interface NotedStatement extends SentStatement {
  /** The organization that the statement's transaction acts for. */
  readonly organizationId: string | undefined;
}

const statements = new WeakMap<object, NotedStatement>();

/** Records the statement that caused an error, because Postgres does not report it. */
export function noteStatement(error: unknown, statement: NotedStatement): void {
  if (error instanceof pg.DatabaseError) statements.set(error, statement);
}

const isUpdate = (text = '') => /^(?:with item .*?\n)?update\s/s.test(text);

/** Functions that call each other exhausted the stack, such as a policy that reads its own table through a function. */
const isRecursion = ({ code, where }: pg.DatabaseError) => code === '54001' && /function/.test(where ?? '');

/** Catalog data that explains database errors. */
export interface Catalog {
  readonly constraints: Constraints;
  readonly refusals: UpdateRefusals;
  readonly roles: RoleRefusals;
}

function describe(error: unknown, catalog: Catalog): PublicError | undefined {
  if (error instanceof MembershipRefusedError) return { code: 'FORBIDDEN', message: error.message };
  if (error instanceof IdentityRefusedError)
    return { code: 'UNAUTHENTICATED', message: 'The session has ended. Sign in again.' };
  if (error instanceof RowNotFoundError) return { code: 'NOT_FOUND', message: 'There is no such row.' };
  if (error instanceof CancelledError) return { code: 'TIMEOUT', message: 'The request took too long.' };
  if (isUnavailable(error))
    return { code: 'UNAVAILABLE', message: 'The database cannot be reached right now. Try again shortly.' };
  // The filter plugin does not mark this error as safe for clients.
  if ((error as Error).message === 'Null literals are forbidden in filter argument input.')
    return { code: 'BAD_USER_INPUT', message: 'null is not a filter value. Use isNull.' };
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code = '' } = error;
  if (code === inputRefused) return { code: 'BAD_USER_INPUT', message: error.message };
  if (isRefusedByCheck(error))
    return refusedByRole(error, catalog) ?? { code: 'BAD_USER_INPUT', ...refusedByCheck(error, catalog) };
  const violation = byConstraint[code];
  if (violation) {
    const { field, sentence } = catalog.constraints.violatedBy(error);
    return { code: violation.code, message: sentence ?? violation.message(field ?? 'a value'), field };
  }
  if (isRecursion(error)) return undefined;
  if (code.startsWith('54')) return { code: 'TOO_COMPLEX', message: 'The request exceeds a limit of the database.' };
  if (isServerFault(error, statements.get(error))) return undefined;
  if (code.startsWith('22')) return { code: 'BAD_USER_INPUT', message: 'A value is not valid for its type.' };
  return bySqlState[code];
}

/** Explains the refusal of a row that no other value could have saved: the request needs an organization, or another role. */
function refusedByRole(error: pg.DatabaseError, { roles }: Catalog): PublicError | undefined {
  const sent = statements.get(error);
  // The context of an error in a trigger names its function. The trigger's own statement is not known.
  if (!sent || error.where !== undefined) return undefined;
  if (sent.organizationId === undefined && roles.needsOrganization(sent.text)) {
    return {
      code: 'BAD_USER_INPUT',
      message: 'The row belongs to an organization. Name yours in the header X-Organization-Id.',
    };
  }
  if (!roles.isDecidedByRole(sent.text)) return undefined;
  return { code: 'FORBIDDEN', message: 'Your role in the organization does not allow this.' };
}

/**
 * Explains why a check refused a row. A row must also be visible after an update, so Postgres checks the SELECT policies
 * too, and does not report which policy failed. The message names a reason only if the policies leave exactly one.
 */
function refusedByCheck(error: pg.DatabaseError, catalog: Catalog): Omit<PublicError, 'code'> {
  const { text = '' } = statements.get(error) ?? {};
  if (!isUpdate(text)) return { message: 'a value is not allowed, or does not name a row of yours' };
  const refusal = catalog.refusals.explain(text);
  if (!refusal) {
    return {
      message:
        'the change is not allowed: a value is not allowed, does not name a row of yours, or hides the row from you',
    };
  }
  if (refusal.why === 'hidden') return { message: 'the change is not allowed: it hides the row from you' };
  const { why, schema, table, column } = refusal;
  const field = column === undefined ? undefined : catalog.constraints.fieldOf(schema, table, column);
  const reasons = {
    value: 'must not have this value',
    reference: 'does not name a row of yours',
    either: 'is not allowed, or does not name a row of yours',
  };
  return { message: `the change is not allowed: ${field ?? 'a value'} ${reasons[why]}`, field };
}

/**
 * Tells whether an error concerns the client's document. A GraphQLError with a path in the answer usually does not: it
 * concerns a value that the server could not serialize.
 */
function isAboutDocument(cause: Error, { path, extensions }: GraphQLError): boolean {
  if (isSafeError(cause)) return true;
  return cause instanceof GraphQLError && (path === undefined || extensions.code !== undefined);
}

/**
 * Returns a function that converts an error for the client: a code in `extensions` and a message. An error that the client
 * cannot have caused goes to the log with an id, and the client gets only the id.
 */
export function maskError(log: Logger, catalog: Catalog): (error: GraphQLError) => GraphQLError {
  return (error) => {
    const thrown = error.originalError ?? error;
    const item = thrown instanceof ItemError ? thrown : undefined;
    const cause = (item?.cause as Error | undefined) ?? thrown;
    const shown = describe(cause, catalog);
    if (shown) {
      const { code, field, message } = shown;
      return rewrite(error, message, { code, ...(field && { field }), ...(item && { index: item.index }) });
    }
    if (isAboutDocument(cause, error)) {
      return rewrite(error, aboutDocument(cause.message), { code: 'BAD_USER_INPUT', ...error.extensions });
    }
    const id = randomUUID();
    log.error({ err: cause, id, path: error.path }, 'a GraphQL field failed');
    return rewrite(error, 'Something went wrong on our side.', { code: 'INTERNAL', id });
  };
}

/** The maximum length of a message about a document, because some messages quote the document. */
const maxMessageLength = 300;

/** Shortens a message of GraphQL, and removes its suggestions, which would reveal the schema. */
export function aboutDocument(message: string): string {
  const kept = message.replace(/ Did you mean .*\?$/s, '');
  return kept.length > maxMessageLength ? `${kept.slice(0, maxMessageLength)}…` : kept;
}

function rewrite(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
