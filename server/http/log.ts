import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { type DestinationStream, type Logger, pino } from 'pino';

/** Routines of Postgres whose messages name objects of the schema and quote nothing else. */
const namingRoutines = new Set(['aclcheck_error', 'aclcheck_error_col', 'fireRIRrules']);

/** The objects that an error is about, where it names them in its message: a right that is missing, policies without end. */
function namesIn({ code, routine, message, where = '' }: pg.DatabaseError): object {
  if (routine !== undefined && namingRoutines.has(routine)) return { message };
  if (code !== '54001') return {};
  const functions = [...where.matchAll(/^(?:SQL|PL\/pgSQL) function "?([\w.]+)/gm)].map(([, name]) => name);
  return { functions: [...new Set(functions)] };
}

/**
 * An error for the log: what we know to be harmless, and not what else it holds. A database error's message, detail
 * and where quote values, so they stay out.
 */
function serializeError(error: unknown): unknown {
  if (error instanceof pg.DatabaseError) {
    const { severity, code, schema, table, column, constraint, routine } = error;
    const known = { type: 'DatabaseError', severity, code, schema, table, column, constraint, routine };
    return { ...known, ...namesIn(error) };
  }
  if (!isNativeError(error)) return { type: typeof error };
  const { name, message, stack, code, cause } = error as Error & { code?: unknown };
  return { type: name, message, stack, code, ...(cause !== undefined && { cause: serializeError(cause) }) };
}

const secrets = [
  'password',
  'currentPassword',
  'newPassword',
  'refreshToken',
  'accessToken',
  'authorization',
  'cookie',
];

/** The server's log: JSON lines in which no secret and no bound value appears, at any level. */
export function createLog(level: string, destination?: DestinationStream): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError, error: serializeError },
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination,
  );
}
