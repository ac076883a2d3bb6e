import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { CancelledError } from './cancellation.ts';
import { type Share, ShareTimeoutError } from './connectionShares.ts';
import { isStale } from './prepared.ts';

/** A reason why the database cannot be used right now, and advice for the operator. */
export interface ConnectionFault {
  readonly cause: string;
  readonly advice: string;
  /** Whether another attempt, a moment later, may succeed. */
  readonly temporary: boolean;
  /** Whether the attempt ended without any answer. The database may be waking up. */
  readonly silent: boolean;
}

/** A read of a subscription got no answer within its time. */
export class UnansweredReadError extends Error {}

/** A request was canceled during its commit, and Postgres has not answered since. */
export class UnansweredCommitError extends Error {}

const fault = (cause: string, advice: string, temporary: boolean, silent = false): ConnectionFault => ({
  cause,
  advice,
  temporary,
  silent,
});

const wrongPassword = fault(
  'wrong password',
  'Check the user and password in DATABASE_URL, or run `npm run db -- init`.',
  false,
);
const unknownDatabase = fault(
  'unknown database',
  'Check the database name in DATABASE_URL, or create the database with `npm run db -- init`.',
  false,
);
const unknownHost = fault(
  'unknown host',
  'Check the host name in DATABASE_URL, and check that this machine can resolve it.',
  true,
);
const refused = fault(
  'refused',
  'Nothing listens at this address. Start Postgres or its pooler, or check host and port.',
  true,
);
const unreachable = fault('unreachable', 'The host does not answer. Check network, firewall and address.', true);
const noAnswer = fault(
  'no answer',
  'The database did not answer in time. It may be waking up or frozen, a proxy in front of it may have no server, or a firewall may drop packets.',
  true,
  true,
);
const tls = fault(
  'TLS',
  "The TLS handshake failed. Check sslmode and sslrootcert in DATABASE_URL against the server's certificate.",
  false,
);
const unbound = fault(
  'channel binding',
  'The server did not prove that it knows the password. Check the host, and check for a proxy that terminates TLS.',
  false,
);
const tooMany = fault(
  'too many connections',
  'Postgres accepts no more connections. Lower DB_POOL_SIZE, put a pooler in front, or raise max_connections.',
  true,
);
const suspended = fault('suspended', 'The database is starting, stopping or waking up. The server retries.', true);
const lost = fault(
  'connection lost',
  'The database server or the network closed the connection. The pool opens a new one.',
  true,
);
const poolBusy = fault(
  'pool exhausted',
  'Every connection is in use. Look for slow statements and waiting commits, or raise DB_POOL_SIZE.',
  false,
);
const stalledWrites = fault(
  'writes stalled',
  'Every connection for writes is in use. Look in pg_stat_activity for commits that wait for a synchronous standby (wait_event SyncRep), for locks, and for slow statements.',
  false,
);
const slowStatements = fault(
  'slow statements',
  'Every connection for slow statements is in use. Make them faster (see `npm run db -- slow`), or raise DB_POOL_SIZE.',
  false,
);
const exportsBusy = fault('exports', 'Every connection for exports is in use. Wait, or raise DB_POOL_SIZE.', false);
const unansweredCommit = fault(
  'commit not answered',
  'Postgres does not answer a commit. If the commit waits for a synchronous standby (wait_event SyncRep in pg_stat_activity), restore the standby or remove it from synchronous_standby_names. Otherwise the database server is frozen or unreachable.',
  false,
);
const schemaChanged = fault(
  'schema changed',
  'A migration changed the columns of prepared statements, and the transaction was rolled back. The next transaction prepares them again.',
  false,
);
const readOnly = fault(
  'read-only',
  'DATABASE_URL points at a replica, or a failover is in progress. Point it at the primary.',
  false,
);
const diskFull = fault(
  'disk full',
  'The disk of the database server is full. Free space or enlarge it. Writes then resume without a restart.',
  false,
);
const outOfMemory = fault(
  'out of memory',
  'The database server is out of memory. Lower work_mem or max_connections, or add memory.',
  false,
);
const outOfResources = fault('out of resources', 'A resource of the database server is exhausted. See its log.', false);
const noPorts = fault(
  'out of sockets',
  'This machine has no file descriptors or ports left for connections. Raise its limits (ulimit -n), or lower DB_POOL_SIZE.',
  true,
);
const poolerQueue = fault(
  'pooler has no connection',
  'PgBouncer had no free server connection within query_wait_timeout. Check that the database runs, or enlarge the pool (default_pool_size, max_db_connections).',
  true,
);
const poolerLogin = fault(
  'pooler cannot log in',
  'PgBouncer cannot connect to the database. See its log. Check that the database runs, and that PgBouncer has the right host and password.',
  true,
);
const poolerFull = fault(
  'pooler full',
  'PgBouncer accepts no more clients. Raise max_client_conn, or lower DB_POOL_SIZE.',
  true,
);

const bySqlState: Readonly<Record<string, ConnectionFault>> = {
  '28000': wrongPassword,
  '28P01': wrongPassword,
  '3D000': unknownDatabase,
  '53300': tooMany,
  '53400': tooMany,
  '57P01': lost,
  '57P02': lost,
  '57P03': suspended,
  '57P05': lost,
  '53100': diskFull,
  '53200': outOfMemory,
  '25006': readOnly,
};

/** Faults by the error codes of Node. */
const byCode: Readonly<Record<string, ConnectionFault>> = {
  EADDRNOTAVAIL: noPorts,
  EAI_AGAIN: unknownHost,
  ECONNABORTED: lost,
  ECONNREFUSED: refused,
  ECONNRESET: lost,
  EHOSTDOWN: unreachable,
  EHOSTUNREACH: unreachable,
  EMFILE: noPorts,
  ENETDOWN: unreachable,
  ENETRESET: lost,
  ENETUNREACH: unreachable,
  ENFILE: noPorts,
  ENOBUFS: noPorts,
  ENOENT: refused,
  ENOTCONN: lost,
  ENOTFOUND: unknownHost,
  EPIPE: lost,
  ETIMEDOUT: unreachable,
};

/** Faults by the messages of PgBouncer. Most of its errors have the SQLSTATE 08P01. */
const byPoolerMessage: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/query_wait_timeout/, poolerQueue],
  [/no more connections allowed|too many connections/, poolerFull],
  [/no such database|does not exist in config/, unknownDatabase],
  [/server login|server_login_retry|cannot connect to server|client_login_timeout/, poolerLogin],
  [/authentication failed|password|no such user/i, wrongPassword],
  [/shutting down|starting up|paused/, suspended],
];

const byShare: Readonly<Record<Share, ConnectionFault>> = {
  write: stalledWrites,
  unshared: poolBusy,
  bypass: slowStatements,
  export: exportsBusy,
};

/** Faults by the messages of node-postgres' errors without a code. */
const byMessage: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/^timeout exceeded when trying to connect/, poolBusy],
  [/connection timeout|^timeout expired/, noAnswer],
  [/^Connection terminated|^Client has encountered a connection error|^Client was closed/, lost],
  [/SSL connection/, tls],
  [/^channel_binding=require/, unbound],
];

/**
 * Returns the fault that kept a statement from reaching the database, or its answer from coming back. Returns undefined if
 * the database answered and rejected the statement itself.
 */
export function connectionFault(error: unknown): ConnectionFault | undefined {
  if (!isNativeError(error) || error instanceof CancelledError) return undefined;
  if (error instanceof ShareTimeoutError) return byShare[error.share];
  if (error instanceof UnansweredCommitError) return unansweredCommit;
  if (error instanceof UnansweredReadError) return noAnswer;
  const { code = '', errors } = error as { code?: string; errors?: readonly unknown[] };
  if (error instanceof pg.DatabaseError) return isStale(error) ? schemaChanged : faultOfPostgres(code, error.message);
  // Node tries every address of a host and reports all errors together.
  if (errors) return connectionFault(errors[0]);
  if (/^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)) return tls;
  return byCode[code] ?? byMessage.find(([pattern]) => pattern.test(error.message))?.[1];
}

function faultOfPostgres(code: string, message: string): ConnectionFault | undefined {
  if (code.startsWith('08')) return byPoolerMessage.find(([pattern]) => pattern.test(message))?.[1] ?? lost;
  return bySqlState[code] ?? (code.startsWith('53') ? outOfResources : undefined);
}

/** Whether an error means that the database is unavailable, and not that the statement was wrong. */
export function isUnavailable(error: unknown): boolean {
  return connectionFault(error) !== undefined;
}
