import { UsageError } from '../common/usageError.ts';
import { describeUrl } from '../postgres/target/target.ts';
import { proveApi } from './api/proveApi.ts';
import { proveServer } from './api/proveServer.ts';
import { proveIdentityStatements } from './hedgerow/identityStatements.ts';
import { startMutants } from './mutants/workers.ts';
import type { Proof } from './proof.ts';
import { type ProverOptions, scopeOf } from './proverOptions.ts';
import { type ProveSqlOptions, proveSql } from './proveSql.ts';
import { onDatabase, onMigrations, type TargetDatabase } from './targetDatabase.ts';
import { withoutControls } from './unproven.ts';

/**
 * Runs the attacks that the options select.
 *
 * @param progress receives one line per step, for display.
 * @throws UsageError if the options do not fit the database.
 */
export async function prove(options: ProverOptions, progress: (line: string) => void): Promise<Proof> {
  const { databaseUrl, clone, server } = options;
  if (server !== undefined) {
    progress(`attacking ${server}`);
    return proveServer({ ...options, server }, progress);
  }
  const work = (target: TargetDatabase) => proveOn(target, options, progress);
  if (databaseUrl === undefined) {
    progress('applying the migrations to a scratch database');
    return onMigrations(work);
  }
  progress(`working on ${clone ? 'a copy of ' : ''}${describeUrl(databaseUrl)}`);
  return onDatabase(databaseUrl, clone, work);
}

const noServer = { about: 'the API', reason: 'there is no Hedgerow on this database, so only SQL was attacked' };

async function proveOn(
  target: TargetDatabase,
  options: ProverOptions,
  progress: (line: string) => void,
): Promise<Proof> {
  const { seed, schema, tenantIds, fixtures, table } = options;
  const startedAt = new Date();
  const isOurs = options.databaseUrl === undefined;
  const settings: Omit<ProveSqlOptions, 'adminUrl'> = {
    scope: scopeOf(options),
    seedData: { seed, ...(fixtures && { fixtures }), ...(tenantIds && { tenantIds }) },
    login: options.loginRole ?? (isOurs ? 'hedgerow_authenticator' : undefined),
    owner: options.ownerRole ?? (isOurs ? 'hedgerow_owner' : undefined),
    searchPath: isOurs ? 'pg_catalog' : undefined,
    only:
      table &&
      ((name) =>
        table.some((one) => name === one || name === `${schema}.${one}` || name.startsWith(`${schema}.${one}(`))),
    progress,
  };
  // The workers copy the database while it is empty. Each then runs on its own copy in parallel.
  const mutants = options.mutants ? await startMutants(target, settings) : undefined;
  const wants = (part: string) => options.only === undefined || options.only === part;
  const { adminUrl, serverUrl } = target;
  const nothing = { attempts: [], controls: [], owners: {}, unproven: [], notJudged: [] };
  const sql = wants('sql') ? await proveSql({ ...settings, adminUrl }) : nothing;
  const identities =
    isOurs && wants('sql') && table === undefined
      ? await proveIdentityStatements(adminUrl, options.mutants)
      : { attempts: [], controls: [], mutants: [] };
  if (!serverUrl && !wants('sql'))
    throw new UsageError(
      `--only ${options.only} needs a Hedgerow, and there is none on ${target.name}. Leave out --only, or use --only sql.`,
    );
  const api = serverUrl
    ? await proveApi({
        adminUrl,
        serverUrl,
        scope: settings.scope,
        seed,
        progress,
        ...(fixtures && { fixtures }),
        poolSizes: wants('api') ? [1, 3] : [],
        operations: wants('interleaving') ? options.operations : 0,
        only: settings.only,
      })
    : nothing;
  const attempts = [...sql.attempts, ...identities.attempts, ...api.attempts];
  const controls = [...sql.controls, ...identities.controls, ...api.controls];
  const verdicts = mutants && [...(await mutants.verdicts), ...identities.mutants];
  return {
    database: target.name,
    seed,
    repeat: `npm run isolation -- --seed ${seed}${options.mutants ? ' --mutants' : ''}`,
    startedAt,
    seconds: (Date.now() - startedAt.getTime()) / 1000,
    tables: [...new Set(attempts.map((attempt) => attempt.table))],
    attempts,
    controls,
    owners: sql.owners,
    unproven: withoutControls([...sql.unproven, ...api.unproven], controls),
    notJudged: [...sql.notJudged, ...(serverUrl ? [] : [noServer])],
    mutants: verdicts,
  };
}
