import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { CancelledError } from './cancellation.ts';
import { type Lane, LaneTimeoutError } from './lanes.ts';
import { isStale } from './prepared.ts';

/** Why the database cannot be used right now, and what the operator can do. */
export interface ConnectionFault {
  readonly cause: string;
  readonly advice: string;
  /** Whether the next attempt, a moment later, may find it gone. */
  readonly passes: boolean;
  /** The attempt ended without any answer: the database may be waking up. */
  readonly silent: boolean;
}

/** A read of a subscription had no answer in its time. */
export class UnansweredReadError extends Error {}

/** A request was given up while its commit was under way, and Postgres has not answered since. */
export class UnansweredCommitError extends Error {}

const fault = (cause: string, advice: string, passes: boolean, silent = false): ConnectionFault => ({
  cause,
  advice,
  passes,
  silent,
});

const wrongPassword = fault(
  'wrong password',
  'Check user and password in DATABASE_URL, or run `npm run db -- init`.',
  false,
);
const unknownDatabase = fault(
  'unknown database',
  'Check the database name in DATABASE_URL, or run `npm run db -- init`.',
  false,
);
const unknownHost = fault(
  'unknown host',
  'Check the host name in DATABASE_URL, and that this machine can resolve it.',
  true,
);
const refused = fault('refused', 'Nothing listens there: start Postgres or its pooler, or check host and port.', true);
const unreachable = fault('unreachable', 'No answer: check network, firewall and address.', true);
const noAnswer = fault(
  'no answer',
  'The address did not answer in time: it is waking up or frozen, a proxy in front of it has no server, or a firewall drops packets.',
  true,
  true,
);
const tls = fault('TLS', 'Check sslmode and sslrootcert in DATABASE_URL against the certificate of the server.', false);
const unbound = fault(
  'channel binding',
  'The server is not proven to be the one that knows the password: check the host, and what ends TLS in front of it.',
  false,
);
const tooMany = fault(
  'too many connections',
  'Lower DB_POOL_SIZE, put a pooler in front, or raise max_connections.',
  true,
);
const suspended = fault('suspended', 'The database is starting, stopping or waking up; it is tried again.', true);
const lost = fault('connection lost', 'The server or the network ended the connection; a new one is opened.', true);
const poolBusy = fault(
  'pool exhausted',
  'Every connection is in use: look for slow statements and waiting commits, or raise DB_POOL_SIZE.',
  false,
);
const stalledWrites = fault(
  'writes stalled',
  'Every connection for writes is in use: look in pg_stat_activity for commits that wait for a synchronous standby (wait_event SyncRep), for locks, and for slow statements.',
  false,
);
const slowStatements = fault(
  'slow statements',
  'Every connection for slow statements is in use: make them faster (see `npm run db -- slow`), or raise DB_POOL_SIZE.',
  false,
);
const exportsBusy = fault('exports', 'Every connection for exports is in use: wait, or raise DB_POOL_SIZE.', false);
const unansweredCommit = fault(
  'commit not answered',
  'Postgres does not answer a commit. It may wait for a synchronous standby (wait_event SyncRep in pg_stat_activity): bring the standby back, or take it out of synchronous_standby_names. Or the server is frozen or unreachable.',
  false,
);
const schemaChanged = fault(
  'schema changed',
  'A migration changed what prepared statements return: the transaction was rolled back. The next one prepares them again.',
  false,
);
const readOnly = fault('read-only', 'This is a replica, or a failover is under way.', false);
const diskFull = fault(
  'disk full',
  'The disk of the database server is full: free space or enlarge it. Writes then work again by themselves.',
  false,
);
const outOfMemory = fault(
  'out of memory',
  'The database server has no memory left: lower work_mem or max_connections, or enlarge it.',
  false,
);
const outOfResources = fault('out of resources', 'A resource of the database server is exhausted: see its log.', false);
const noPorts = fault(
  'out of sockets',
  'This machine has no file descriptors or ports left for connections: raise its limits (ulimit -n), or lower DB_POOL_SIZE.',
  true,
);
const poolerQueue = fault(
  'pooler has no connection',
  'PgBouncer had no server connection free within query_wait_timeout: the database is away, or its pool is too small (default_pool_size, max_db_connections).',
  true,
);
const poolerLogin = fault(
  'pooler cannot log in',
  'PgBouncer cannot connect to the database: see its log, and check that the database runs and that PgBouncer knows host and password.',
  true,
);
const poolerFull = fault(
  'pooler full',
  'PgBouncer takes no more clients: raise max_client_conn, or lower DB_POOL_SIZE.',
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

const byCode: Readonly<Record<string, ConnectionFault>> = {
  ...{ ENOTFOUND: unknownHost, EAI_AGAIN: unknownHost, ECONNREFUSED: refused, ENOENT: refused },
  ...{ ETIMEDOUT: unreachable, EHOSTUNREACH: unreachable, ENETUNREACH: unreachable },
  ...{ ECONNRESET: lost, EPIPE: lost, ECONNABORTED: lost, ENOTCONN: lost, ENETRESET: lost },
  ...{ EHOSTDOWN: unreachable, ENETDOWN: unreachable },
  ...{ EMFILE: noPorts, ENFILE: noPorts, EADDRNOTAVAIL: noPorts, ENOBUFS: noPorts },
};

/** PgBouncer's own errors, most of which have the SQLSTATE 08P01. */
const byPoolersWords: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/query_wait_timeout/, poolerQueue],
  [/no more connections allowed|too many connections/, poolerFull],
  [/no such database|does not exist in config/, unknownDatabase],
  [/server login|server_login_retry|cannot connect to server|client_login_timeout/, poolerLogin],
  [/authentication failed|password|no such user/i, wrongPassword],
  [/shutting down|starting up|paused/, suspended],
];

const byLane: Readonly<Record<Lane, ConnectionFault>> = {
  write: stalledWrites,
  unshared: poolBusy,
  bypass: slowStatements,
  export: exportsBusy,
};

/** What node-postgres says without a code. */
const byWords: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/^timeout exceeded when trying to connect/, poolBusy],
  [/connection timeout|^timeout expired/, noAnswer],
  [/^Connection terminated|^Client has encountered a connection error|^Client was closed/, lost],
  [/SSL connection/, tls],
  [/^channel_binding=require/, unbound],
];

/**
 * Names what keeps a statement from reaching the database or its answer from coming back. Undefined: the database
 * answered, and the fault is the statement's.
 */
export function connectionFault(error: unknown): ConnectionFault | undefined {
  if (!isNativeError(error) || error instanceof CancelledError) return undefined;
  if (error instanceof LaneTimeoutError) return byLane[error.lane];
  if (error instanceof UnansweredCommitError) return unansweredCommit;
  if (error instanceof UnansweredReadError) return noAnswer;
  const { code = '', errors } = error as { code?: string; errors?: readonly unknown[] };
  if (error instanceof pg.DatabaseError) return isStale(error) ? schemaChanged : ofPostgres(code, error.message);
  // Node tries every address of a host and reports them together.
  if (errors) return connectionFault(errors[0]);
  if (/^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)) return tls;
  return byCode[code] ?? byWords.find(([words]) => words.test(error.message))?.[1];
}

function ofPostgres(code: string, message: string): ConnectionFault | undefined {
  if (code.startsWith('08')) return byPoolersWords.find(([words]) => words.test(message))?.[1] ?? lost;
  return bySqlState[code] ?? (code.startsWith('53') ? outOfResources : undefined);
}

/** Whether an error means that the database is away, and not that the statement was wrong. */
export function isUnavailable(error: unknown): boolean {
  return connectionFault(error) !== undefined;
}
