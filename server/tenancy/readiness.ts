import { Cancellation } from '../../postgres/cancellation.ts';
import { compareMigrations, type Migration, migrationFiles, newerMigrations } from './migrationFiles.ts';
import type { Database } from './tenantDatabase.ts';

/** Reasons not to serve from a database, one sentence each. */
interface ReadinessReport {
  /** Reasons not to serve. Empty: this server may serve. */
  readonly reasons: readonly string[];
  /** Warnings that do not stop the server from serving. */
  readonly advice: readonly string[];
  /** Whether migrations of a later version of the server have been applied. */
  readonly schemaIsNewer: boolean;
}

/** Whether this server may serve from this database. */
export interface Readiness {
  /** @throws what the connection reports when the database is away. */
  report(cancellation?: Cancellation): Promise<ReadinessReport>;
  /**
   * As `report`, for anybody who asks without a token: calls at the same time share one check, and its outcome is kept for a
   * second. Nobody's cancellation ends it; it has 10 s.
   */
  recentReport(): Promise<ReadinessReport>;
  /** The reasons of `report`. */
  reasonsNotToServe(cancellation?: Cancellation): Promise<readonly string[]>;
  /** From here on the answer is that the server is stopping. */
  stopping(): void;
}

/** Milliseconds for which the outcome of a check is kept. */
const recent = 1000;

/** Seconds that a shared check has. */
const patience = 10;

const nothing: ReadinessReport = { reasons: [], advice: [], schemaIsNewer: false };

type Ask = <Row>(text: string) => Promise<Row[]>;

/** Checks who we are connected as, that row-level security is on, and that migrations match the files. */
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
    const ask: Ask = async <Row>(text: string) => (await database.inspect<Row>({ text }, cancellation)).rows;
    const role = await wrongRole(ask);
    const schema = await schemaReport(ask, readFiles);
    return { ...schema, reasons: [...role, ...schema.reasons] };
  };
  const check = async (): Promise<ReadinessReport> => {
    const cancellation = new Cancellation();
    cancellation.expireIn(patience);
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
      }, recent).unref();
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

/** A role that row-level security does not bind sees every tenant's rows: a superuser, BYPASSRLS, the tables' owner. */
async function wrongRole(ask: Ask): Promise<string[]> {
  const [found] = await ask<{
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

async function schemaReport(ask: Ask, readFiles: () => Promise<readonly Migration[]>): Promise<ReadinessReport> {
  const [found] = await ask<{ unprotected: string[] | null; tables: number; migrated: boolean }>(`
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
  const applied = await ask<Migration>('select filename, hash from graphile_migrate.migrations');
  const files = await readFiles();
  // While servers are replaced, the old ones go on serving from the schema of the new ones.
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
