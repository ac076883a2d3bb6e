import pg from 'pg';

/** SQLSTATE classes and codes that say "not now": no connection, shutting down, too many clients, read-only, full. */
const notNow = /^(08...|57P0[1-5]|53...|25006|3D000|28...)$/;
const networkCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
/** What node-postgres says without a code. */
const words =
  /^(Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Client was closed)/;

/** Whether an error means that the database is away, and not that the statement was wrong. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: string };
  if (error instanceof pg.DatabaseError) return notNow.test(code ?? '');
  if (error instanceof AggregateError) return error.errors.some(isUnavailable);
  return networkCodes.has(code ?? '') || words.test(error.message);
}
