import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';

// A database error's message, detail and where quote values ("Failing row contains …"), so they stay out.
function serializeError(error: unknown): unknown {
  if (!(error instanceof pg.DatabaseError)) {
    return isNativeError(error)
      ? { ...stdSerializers.err(error), cause: error.cause && serializeError(error.cause) }
      : error;
  }
  const { severity, code, schema, table, column, constraint, routine } = error;
  return { type: 'DatabaseError', severity, code, schema, table, column, constraint, routine };
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
