import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Logger } from 'pino';
import { isSafeError } from 'postgraphile/grafast';
import { GraphQLError } from 'postgraphile/graphql';
import { CancelledError } from '../../postgres/cancellation.ts';
import { isUnavailable } from '../../postgres/connectionErrors.ts';
import { IdentityRefusedError } from '../tenancy/tenantDatabase.ts';
import type { Constraints } from './constraints.ts';
import { isOwnFault, type SentStatement } from './dataExceptions.ts';
import type { UpdateRefusals } from './updateRefusals.ts';

/** No such row, or none that this tenant may know of. */
export class RowNotFoundError extends Error {}

/** The error of one item in a bulk mutation. */
export class ItemError extends Error {
  /** Which of the items, counted from 0. */
  readonly index: number;

  constructor(index: number, cause: unknown) {
    super('an item could not be done', { cause });
    this.index = index;
  }
}

interface PublicError {
  readonly code: string;
  readonly message: string;
  /** The input field that is at fault, where one is. */
  readonly field?: string | undefined;
}

/** Client errors by SQLSTATE. */
const bySqlState: Readonly<Record<string, PublicError>> = {
  '23001': { code: 'CONFLICT', message: 'Other rows refer to this one.' },
  '40001': { code: 'CONFLICT', message: 'Somebody changed the same rows at the same time. Try again.' },
  '40P01': { code: 'CONFLICT', message: 'Somebody changed the same rows at the same time. Try again.' },
  '428C9': { code: 'BAD_USER_INPUT', message: 'A value is given that the database makes itself.' },
  '55P03': { code: 'TIMEOUT', message: 'Somebody else is changing the same rows. Try again.' },
  '57014': { code: 'TIMEOUT', message: 'The request took too long.' },
};

/** What a client is told of a constraint that has no comment; `field` is one, or `a value`. */
const byConstraint: Readonly<Record<string, { code: string; message: (field: string) => string }>> = {
  '23502': { code: 'BAD_USER_INPUT', message: (field) => `${field} must not be null` },
  '23503': { code: 'BAD_USER_INPUT', message: (field) => `${field} must name a row of yours` },
  '23505': { code: 'CONFLICT', message: (field) => `${field} is in use already` },
  '23514': { code: 'BAD_USER_INPUT', message: (field) => `${field} is not allowed to be this` },
  '23P01': { code: 'CONFLICT', message: (field) => `${field} cannot be together with a row that is there` },
};

/** SQLSTATE with which a function refuses its input: the message is for the client. */
const inputRefused = 'HR400';

/** A policy's check, or a view's, does not hold for a new row. A missing grant has the SQLSTATE of the first. */
const isRefusedByCheck = ({ code, routine }: pg.DatabaseError) =>
  code === '44000' || (code === '42501' && routine === 'ExecWithCheckOptions');

const statements = new WeakMap<object, SentStatement>();

/** Notes which statement an error is of, which Postgres does not tell. */
export function noteStatement(error: unknown, text: string, values: readonly unknown[] = []): void {
  if (error instanceof pg.DatabaseError) statements.set(error, { text, values });
}

const isUpdate = (text = '') => /^(?:with item .*?\n)?update\s/s.test(text);

/** The stack of Postgres is full of functions that call each other, such as a policy that reads its own table by one. */
const isRecursion = ({ code, where }: pg.DatabaseError) => code === '54001' && /function/.test(where ?? '');

/** Facts from the catalogs that explain database errors. */
export interface Catalog {
  readonly constraints: Constraints;
  readonly refusals: UpdateRefusals;
}

function describe(error: unknown, catalog: Catalog): PublicError | undefined {
  if (error instanceof IdentityRefusedError)
    return { code: 'UNAUTHENTICATED', message: 'The session has ended. Sign in again.' };
  if (error instanceof RowNotFoundError) return { code: 'NOT_FOUND', message: 'There is no such row.' };
  if (error instanceof CancelledError) return { code: 'TIMEOUT', message: 'The request took too long.' };
  if (isUnavailable(error))
    return { code: 'UNAVAILABLE', message: 'The database cannot be reached right now. Try again shortly.' };
  // The filter's own error, which is not marked as one for the client.
  if ((error as Error).message === 'Null literals are forbidden in filter argument input.')
    return { code: 'BAD_USER_INPUT', message: 'null is not a value to filter by; use isNull' };
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code = '' } = error;
  if (code === inputRefused) return { code: 'BAD_USER_INPUT', message: error.message };
  if (isRefusedByCheck(error)) return { code: 'BAD_USER_INPUT', ...refusedByCheck(error, catalog) };
  const violation = byConstraint[code];
  if (violation) {
    const { field, sentence } = catalog.constraints.violatedBy(error);
    return { code: violation.code, message: sentence ?? violation.message(field ?? 'a value'), field };
  }
  if (isRecursion(error)) return undefined;
  if (code.startsWith('54')) return { code: 'TOO_COMPLEX', message: 'The request is more than the database can take.' };
  if (isOwnFault(error, statements.get(error))) return undefined;
  if (code.startsWith('22'))
    return { code: 'BAD_USER_INPUT', message: 'A value does not have the form that its type asks for.' };
  return bySqlState[code];
}

/**
 * A row has to be visible after an update, too: Postgres asks the policies for SELECT, and does not say which policy
 * refused. The one reason is told where the policies leave only one.
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
    value: 'is not allowed to be this',
    reference: 'does not name a row of yours',
    either: 'is not allowed, or does not name a row of yours',
  };
  return { message: `the change is not allowed: ${field ?? 'a value'} ${reasons[why]}`, field };
}

/**
 * Whether an error speaks of the document, which the client wrote. One of GraphQL's own that has a place in the answer
 * speaks of a value that the server could not write there.
 */
function isAboutDocument(cause: Error, { path, extensions }: GraphQLError): boolean {
  if (isSafeError(cause)) return true;
  return cause instanceof GraphQLError && (path === undefined || extensions.code !== undefined);
}

/**
 * Makes an error fit for the client: a code in `extensions` and a sentence. What the client cannot have caused is
 * logged under an id, and the client gets the id alone.
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

/** The longest message about a document: some quote what the client sent. */
const longest = 300;

/** A message of GraphQL's own without its suggestions, which would reveal the schema. */
export function aboutDocument(message: string): string {
  const kept = message.replace(/ Did you mean .*\?$/s, '');
  return kept.length > longest ? `${kept.slice(0, longest)}…` : kept;
}

function rewrite(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
