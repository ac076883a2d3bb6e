import pino, { type Logger } from 'pino';
import { type Database, type DatabaseOptions, TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import type { TestDatabase } from './database.ts';

/** Opens the server's database layer with its own pool, of one connection by default. */
export function openConnections(
  { serverUrl, preparedStatements }: Pick<TestDatabase, 'serverUrl' | 'preparedStatements'>,
  options: Partial<DatabaseOptions> = {},
  log: Logger = pino({ level: 'silent' }),
): Database {
  const defaults = { size: 1, timeout: 5, recycle: 1800, preparedStatements };
  return new TenantDatabase(serverUrl, { ...defaults, ...options }, log);
}
