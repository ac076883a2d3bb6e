import { Cancellation } from '../../postgres/cancellation.ts';
import { compareMigrations, type Migration, migrationFiles, newerMigrations } from './migrationFiles.ts';
import type { Database } from './tenantDatabase.ts';

/** The outcome of a readiness check. */
interface ReadinessReport {
  /** Reasons not to serve, one sentence each. The server may serve if there are none. */
  readonly reasons: readonly string[];
  /** Warnings that do not stop the server from serving. */
  readonly advice: readonly string[];
  /** Whether the database has migrations of a later version of the server. */
  readonly schemaIsNewer: boolean;
}

/** Checks whether this server may serve from its database. */
export interface Readiness {
  /** @throws the error of the connection if the database is unavailable. */
  report(cancellation?: Cancellation): Promise<ReadinessReport>;
  /**
   * As `report`, for callers without a token. Concurrent calls share one check, and its outcome is cached for a second. No
   * caller can cancel it. It has a timeout of 10 s.
   */
  recentReport(): Promise<ReadinessReport>;
  /** Returns the reasons of `report`. */
  reasonsNotToServe(cancellation?: Cancellation): Promise<readonly string[]>;
  /** Makes all later reports say that the server is stopping. */
  stopping(): void;
}

/** Milliseconds for which the outcome of a check is cached. */
const cacheTime = 1000;

/** Timeout of a shared check, in seconds. */
const sharedTimeout = 10;

const nothing: ReadinessReport = { reasons: [], advice: [], schemaIsNewer: false };

type ReadRows = <Row>(text: string) => Promise<Row[]>;

/** Checks the role of the connection, that row-level security is enabled and forced, and that migrations match the files. */
export function createReadiness(database: Database): Readiness {
  let stopping = false;
  // The files of a running server do not change.
  let files: Promise<Migration[]> | undefined;
  const readFiles = () => {
    files ??= migrationFiles().catch((error: unknown) => {
      files = undefined;
      throw error;
    });
    return files;
  };
  const report = async (cancellation?: Cancellation): Promise<ReadinessReport> => {
    if (stopping) return { ...nothing, reasons: ['the server is stopping'] };
    const readRows: ReadRows = async <Row>(text: string) => (await database.inspect<Row>({ text }, cancellation)).rows;
    const role = await wrongRole(readRows);
    const schema = await schemaReport(readRows, readFiles);
    return { ...schema, reasons: [...role, ...schema.reasons] };
  };
  const check = async (): Promise<ReadinessReport> => {
    const cancellation = new Cancellation();
    cancellation.expireIn(sharedTimeout);
    return report(cancellation).finally(() => cancellation.end());
  };
  let shared: Promise<ReadinessReport> | undefined;
  const recentReport = (): Promise<ReadinessReport> => {
    if (stopping) return report();
    if (shared) return shared;
    const checking = check();
    shared = checking;
    const forget = () => {
      setTimeout(() => {
        shared = undefined;
      }, cacheTime).unref();
    };
    checking.then(forget, forget);
    return checking;
  };
  return {
    report,
    recentReport,
    reasonsNotToServe: async (cancellation) => (await report(cancellation)).reasons,
    stopping() {
      stopping = true;
    },
  };
}

/**
 * Returns reasons to reject the role of the connection. Row-level security does not apply to superusers, to roles with
 * BYPASSRLS, and to the owner of the tables: they see every tenant's rows.
 */
async function wrongRole(readRows: ReadRows): Promise<string[]> {
  const [found] = await readRows<{
    role: string;
    superuser: boolean;
    bypass: boolean;
    owner: boolean;
    tenant: boolean;
  }>(`
      with recursive reachable as (
        select oid from pg_roles where rolname = session_user
        union
        select m.roleid from pg_auth_members m join reachable r on m.member = r.oid
      )
      select session_user as role, bool_or(rolsuper) as superuser, bool_or(rolbypassrls) as bypass,
        exists (
          select from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname in ('app_public', 'app_private') and c.relowner in (select oid from reachable)
        ) as owner,
        coalesce(bool_or(rolname = 'hedgerow_tenant'), false) as tenant
      from pg_roles where oid in (select oid from reachable)`);
  if (!found) return [];
  const use = 'connect as hedgerow_authenticator';
  return [
    found.superuser && `${found.role} is a superuser, or may become one, and sees every tenant's rows: ${use}`,
    found.bypass &&
      `${found.role} has BYPASSRLS, or may become a role that has it, and sees every tenant's rows: ${use}`,
    found.owner && `${found.role} owns tables, or may become their owner, and could switch their policies off: ${use}`,
    !found.tenant && `${found.role} may not become hedgerow_tenant: ${use}, and run \`npm run db -- init\``,
  ].filter((reason) => reason !== false);
}

async function schemaReport(
  readRows: ReadRows,
  readFiles: () => Promise<readonly Migration[]>,
): Promise<ReadinessReport> {
  const [found] = await readRows<{ unprotected: string[] | null; tables: number; migrated: boolean }>(`
      select
        array_agg(c.oid::regclass::text order by 1) filter (where not (c.relrowsecurity and c.relforcerowsecurity)) as unprotected,
        count(*)::int as tables,
        exists (
          select from pg_class m join pg_namespace g on g.oid = m.relnamespace
          where g.nspname = 'graphile_migrate' and m.relname = 'migrations'
            and has_schema_privilege(g.oid, 'usage') and has_any_column_privilege(m.oid, 'select')
        ) as migrated
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'app_public' and c.relkind in ('r', 'p')`);
  if (!found?.migrated || found.tables === 0)
    return { ...nothing, reasons: ['the database has not been migrated: run `npm run db -- migrate`'] };
  const applied = await readRows<Migration>('select filename, hash from graphile_migrate.migrations');
  const files = await readFiles();
  // During a rolling deployment, the old servers keep serving from the schema of the new version.
  const newer = newerMigrations(files, applied);
  const known = applied.filter((migration) => !newer.includes(migration));
  const unprotected = found.unprotected ?? [];
  return {
    reasons: [
      ...unprotected.map((table) => `${table} has row-level security not enabled, or not forced`),
      ...compareMigrations(files, known),
    ],
    schemaIsNewer: newer.length > 0,
    advice: newer.map(
      ({ filename }) => `migration ${filename} is newer than this server: deploy the version that brought it`,
    ),
  };
}
