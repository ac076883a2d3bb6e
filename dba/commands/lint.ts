import { Option } from 'commander';
import { migrate, watch } from 'graphile-migrate';
import type pg from 'pg';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { type DatabaseReport, lintDatabase } from '../../lint/lintDatabase.ts';
import { printDatabaseReport, printReport } from '../../lint/report.ts';
import type { Finding } from '../../lint/rule.ts';
import { toSarif } from '../../lint/sarif.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { withScratch } from '../../postgres/target/scratch.ts';
import { readUrl, type Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, onTarget, run } from '../cli/command.ts';
import { type Fixed, fixCurrent, printDiff } from '../lintFix/fixCurrent.ts';
import { demandSoundCurrent } from '../migrations/demandSound.ts';
import { lintSchema } from '../servedApi/lintSchema.ts';

interface Options {
  readonly json?: boolean;
  readonly format?: 'text' | 'json' | 'sarif';
  readonly fix?: boolean;
  readonly strict?: boolean;
  readonly all?: boolean;
}

/** Options for a database that Hedgerow does not own. */
interface DatabaseOptions extends Pick<Options, 'json' | 'strict' | 'format' | 'fix'> {
  readonly databaseUrl?: string;
  readonly schema?: readonly string[];
  readonly role?: readonly string[];
  readonly setting?: string;
  readonly settingTemplate?: string;
}

const collect = (value: string, before: readonly string[] = []) => [...before, value];

export const lintCommand = command('lint', 'inspect the schema that the migrations and current.sql create')
  .option('--all', 'also inspect the text of committed migrations, which can no longer change')
  .option('--strict', 'exit with 1 for warnings, too')
  .option('--json', 'print JSON; the same as --format json')
  .addOption(new Option('--format <format>', 'output format').choices(['text', 'json', 'sarif']).default('text'))
  .option('--fix', 'append SQL to current.sql that fixes findings with only one possible fix, and print it')
  .option('--database-url <url>', 'inspect this database instead (read-only); it need not be Hedgerow’s')
  .option(
    '--schema <name>',
    'with --database-url: a schema to inspect (repeatable); by default all schemas on which a role has USAGE',
    collect,
  )
  .option('--role <name>', 'with --database-url: the role of tenants’ transactions (repeatable)', collect)
  .option(
    '--setting <name>',
    'with --database-url: the setting that identifies the tenant; by default the one that most policies read',
  )
  .option(
    '--setting-template <json>',
    'with --database-url: if the setting is JSON, its value with :id in place of the tenant’s id',
  )
  .action((...given: unknown[]) => {
    const options = given[0] as Options & DatabaseOptions;
    const { databaseUrl } = options;
    if (databaseUrl !== undefined && options.fix) {
      return run(async () => {
        throw new UsageError('--fix works only on migrations of Hedgerow: leave out --database-url.');
      });
    }
    if (databaseUrl !== undefined) return run(() => lintUrl(databaseUrl, options));
    const isMeant = (['schema', 'role', 'setting', 'settingTemplate'] as const).some((name) => options[name]);
    if (!isMeant) return onTarget<Options>(lint)(...given);
    return run(async () => {
      throw new UsageError(
        '--schema, --role, --setting and --setting-template need another database: add --database-url.',
      );
    });
  });

/** Inspects an existing database without changing it. Exits with 2 if the linter could not decide something. */
async function lintUrl(url: string, options: DatabaseOptions): Promise<ExitCode> {
  const { schema, role = [], setting, settingTemplate, strict } = options;
  const format = formatOf(options);
  readUrl('--database-url', url);
  const claims = settingTemplate === undefined ? undefined : claimsIn(settingTemplate);
  const report: DatabaseReport = await withClient(url, (client) =>
    lintDatabase(client, { schemas: schema, roles: role, setting, claims }),
  );
  if (format === 'json') console.log(JSON.stringify(report));
  else if (format === 'sarif') {
    console.log(JSON.stringify(toSarif(report), null, 2));
    // SARIF has no field for undecided objects.
    for (const { about, reason } of report.undecided) console.error(`Not judged: ${about}: ${reason}`);
  } else printDatabaseReport(report);
  if (report.findings.some(({ level }) => strict || level === 'error')) return 1;
  return report.undecided.length > 0 ? 2 : 0;
}

/** Returns the path of keys to `:id` in a JSON template; `undefined` if the whole value is the id. */
function claimsIn(template: string): readonly string[] | undefined {
  if (template === ':id') return undefined;
  const find = (value: unknown, path: readonly string[]): readonly string[] | undefined => {
    if (typeof value === 'string') return value.includes(':id') ? path : undefined;
    if (typeof value !== 'object' || value === null) return undefined;
    for (const [key, inside] of Object.entries(value)) {
      const found = find(inside, [...path, key]);
      if (found) return found;
    }
    return undefined;
  };
  try {
    const found = find(JSON.parse(template), []);
    if (found) return found;
  } catch {
    // Fall through to the error below.
  }
  throw new UsageError(
    `--setting-template ${template} is not valid. Write JSON with ":id" in place of the tenant's id, such as {"sub": ":id"}.`,
  );
}

/** Applies the migrations and current.sql to a scratch database and inspects the result. */
async function lint(target: Target, options: Options): Promise<ExitCode> {
  const { strict, all, fix = false } = options;
  const format = formatOf(options);
  await demandSoundCurrent();
  const outcome = await withScratch(target, async (scratch) => {
    if (format === 'text') console.error(`Applying the migrations and current.sql to ${scratch.name}`);
    return withClient(scratch.ownerUrl, async (client): Promise<Fixed> => {
      const repeated = await applyTwice(scratch, client);
      const inspectAll = async () => {
        const { findings, ...rest } = await lintSchema(client, all ? 'all' : 'current', scratch.serverUrl);
        return { ...rest, findings: [...repeated, ...findings] };
      };
      const report = await inspectAll();
      return fix ? fixCurrent(client, report, inspectAll) : { fixed: [], report };
    });
  });
  const { report, fixed } = outcome;
  if (format === 'json') console.log(JSON.stringify(fix ? { ...report, fixed } : report));
  else if (format === 'sarif') console.log(JSON.stringify(toSarif(report), null, 2));
  else {
    if (fix) printDiff(outcome);
    printReport(report);
  }
  return report.findings.some(({ level }) => strict || level === 'error') ? 1 : 0;
}

function formatOf({ json, format = 'text' }: Options): 'text' | 'json' | 'sarif' {
  return json ? 'json' : format;
}

/** Applies all migrations and current.sql, then current.sql a second time, as `watch` does at every save. */
async function applyTwice(scratch: Target, client: pg.Client): Promise<Finding[]> {
  const settings = await migrateSettings(scratch, () => {});
  const telling = await migrateSettings(scratch, (message, isError) => isError && console.error(message));
  await migrate(telling);
  await watch(telling, true);
  // graphile-migrate skips an unchanged current.sql. Delete its record so that it runs again.
  await client.query('delete from graphile_migrate.current');
  try {
    await watch(settings, true);
    return [];
  } catch (error) {
    const detail = `cannot run twice, as watch runs it at every save: ${(error as Error).message}`;
    const page = 'docs/lint/README.md';
    return [{ rule: 'not-repeatable', level: 'error', object: 'current.sql', detail, file: 'current.sql', page }];
  }
}
