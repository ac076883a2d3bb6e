import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { type DestinationStream, type Logger, pino } from 'pino';

/**
 * An error for the log: what we know to be harmless, and not what else it holds. A database error's message, detail
 * and where quote values, so they stay out.
 */
function serializeError(error: unknown): unknown {
  if (error instanceof pg.DatabaseError) {
    const { severity, code, schema, table, column, constraint, routine } = error;
    return { type: 'DatabaseError', severity, code, schema, table, column, constraint, routine };
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
