import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Logger } from 'pino';
import { isSafeError } from 'postgraphile/grafast';
import { GraphQLError } from 'postgraphile/graphql';
import { CancelledError } from '../database/cancellation.ts';
import { isUnavailable } from '../database/connectionErrors.ts';
import { IdentityRefusedError } from '../database/database.ts';

/** No such row, or none that this tenant may know of. */
export class RowNotFoundError extends Error {}

/** What went wrong with one item of a mutation of many. */
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
}

/** What a client is told, by SQLSTATE. */
const bySqlState: Readonly<Record<string, PublicError>> = {
  '23502': { code: 'BAD_USER_INPUT', message: 'A value that is needed is missing.' },
  '23503': { code: 'BAD_USER_INPUT', message: 'A row that this one refers to does not exist.' },
  '23505': { code: 'CONFLICT', message: 'There is one like this already.' },
  '40001': { code: 'CONFLICT', message: 'Somebody changed the same rows at the same time. Try again.' },
  '40P01': { code: 'CONFLICT', message: 'Somebody changed the same rows at the same time. Try again.' },
  '55P03': { code: 'TIMEOUT', message: 'Somebody else is changing the same rows. Try again.' },
  '57014': { code: 'TIMEOUT', message: 'The request took too long.' },
};

/** SQLSTATE with which a function refuses its input: the message is for the client. */
const inputRefused = 'HR400';

function describe(error: unknown): PublicError | undefined {
  if (error instanceof IdentityRefusedError)
    return { code: 'UNAUTHENTICATED', message: 'The session has ended. Sign in again.' };
  if (error instanceof RowNotFoundError) return { code: 'NOT_FOUND', message: 'There is no such row.' };
  if (error instanceof CancelledError) return { code: 'TIMEOUT', message: 'The request took too long.' };
  if (isUnavailable(error))
    return { code: 'UNAVAILABLE', message: 'The database cannot be reached right now. Try again shortly.' };
  if (!(error instanceof pg.DatabaseError)) return undefined;
  const { code = '', constraint } = error;
  if (code === inputRefused) return { code: 'BAD_USER_INPUT', message: error.message };
  if (code === '23514') return { code: 'BAD_USER_INPUT', message: `A value is not allowed here (${constraint}).` };
  if (code.startsWith('22'))
    return { code: 'BAD_USER_INPUT', message: 'A value does not have the form that its type asks for.' };
  return bySqlState[code];
}

/**
 * Makes an error fit for the client: a code in `extensions` and a sentence. What the client cannot have caused is
 * logged under an id, and the client gets the id alone.
 */
export function maskError(log: Logger): (error: GraphQLError) => GraphQLError {
  return (error) => {
    const thrown = error.originalError ?? error;
    const item = thrown instanceof ItemError ? thrown : undefined;
    const cause = (item?.cause as Error | undefined) ?? thrown;
    const shown = describe(cause);
    if (shown) return rewrite(error, shown.message, { code: shown.code, ...(item && { index: item.index }) });
    // GraphQL's own errors and the ones marked safe speak of the document, which the client wrote.
    if (cause instanceof GraphQLError || isSafeError(cause)) {
      return rewrite(error, cause.message, { code: 'BAD_USER_INPUT', ...error.extensions });
    }
    const id = randomUUID();
    log.error({ err: cause, id, path: error.path }, 'a GraphQL field failed');
    return rewrite(error, 'Something went wrong on our side.', { code: 'INTERNAL', id });
  };
}

function rewrite(error: GraphQLError, message: string, extensions: Record<string, unknown>): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}
