import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { type DestinationStream, type Logger, pino } from 'pino';

/** Postgres functions whose error messages name schema objects and quote no values. */
const namingRoutines = new Set(['aclcheck_error', 'aclcheck_error_col', 'fireRIRrules']);

/** Returns the schema objects in the message of an error: for a missing privilege, or for infinitely recursive policies. */
function namesIn({ code, routine, message, where = '' }: pg.DatabaseError): object {
  if (routine !== undefined && namingRoutines.has(routine)) return { message };
  if (code !== '54001') return {};
  const functions = [...where.matchAll(/^(?:SQL|PL\/pgSQL) function "?([\w.]+)/gm)].map(([, name]) => name);
  return { functions: [...new Set(functions)] };
}

/**
 * Converts an error for the log. It copies only fields that are known to be harmless. The message, detail and where of a
 * database error may quote values, so they are left out.
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

/** Creates the server's log of JSON lines. No level logs secrets or bound values. */
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
