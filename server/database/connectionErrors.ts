import { isNativeError } from 'node:util/types';
import pg from 'pg';
import { CancelledError } from './cancellation.ts';

/** Why the database cannot be used right now, and what whoever runs the server can do. */
export interface ConnectionFault {
  readonly cause: string;
  readonly advice: string;
  /** Whether the next attempt, a moment later, may find it gone. */
  readonly passes: boolean;
}

const fault = (cause: string, advice: string, passes: boolean): ConnectionFault => ({ cause, advice, passes });

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
  'Every connection is in use: look for slow statements, or raise DB_POOL_SIZE.',
  false,
);
const readOnly = fault('read-only', 'This is a replica, or a failover is under way.', false);
const outOfSpace = fault('out of resources', 'Disk or memory of the database server is exhausted.', false);

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
  '25006': readOnly,
};

const byCode: Readonly<Record<string, ConnectionFault>> = {
  ...{ ENOTFOUND: unknownHost, EAI_AGAIN: unknownHost, ECONNREFUSED: refused, ENOENT: refused },
  ...{ ETIMEDOUT: unreachable, EHOSTUNREACH: unreachable, ENETUNREACH: unreachable },
  ...{ ECONNRESET: lost, EPIPE: lost },
};

/** What node-postgres says without a code. */
const byWords: readonly (readonly [RegExp, ConnectionFault])[] = [
  [/^timeout exceeded when trying to connect/, poolBusy],
  [/connection timeout|^timeout expired/, unreachable],
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
  const { code = '', errors } = error as { code?: string; errors?: readonly unknown[] };
  if (error instanceof pg.DatabaseError) {
    return bySqlState[code] ?? (code.startsWith('08') ? lost : code.startsWith('53') ? outOfSpace : undefined);
  }
  // Node tries every address of a host and reports them together.
  if (errors) return connectionFault(errors[0]);
  if (/^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)) return tls;
  return byCode[code] ?? byWords.find(([words]) => words.test(error.message))?.[1];
}

/** Whether an error means that the database is away, and not that the statement was wrong. */
export function isUnavailable(error: unknown): boolean {
  return connectionFault(error) !== undefined;
}
