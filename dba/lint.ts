import { migrate, watch } from 'graphile-migrate';
import type pg from 'pg';
import { withClient } from './client.ts';
import { command, onTarget } from './command.ts';
import { lint as inspect } from './linter/lint.ts';
import { printReport } from './linter/report.ts';
import type { Finding } from './linter/rule.ts';
import { migrateSettings } from './migrateSettings.ts';
import { demandSoundCurrent } from './migrations/demandSound.ts';
import { withScratch } from './scratch.ts';
import type { Target } from './target.ts';
import type { ExitCode } from './verb.ts';

interface Options {
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly all?: boolean;
}

export const lintCommand = command('lint', 'inspect the schema that the migrations and current.sql make')
  .option('--all', "the committed migrations' text too, which nobody can mend any more")
  .option('--strict', 'exit code 1 for warnings too')
  .option('--json', 'for machines')
  .action(onTarget<Options>(lint));

/** Applies the migrations and current.sql to a scratch database, and inspects what comes of it. */
async function lint(target: Target, { json = false, strict, all }: Options): Promise<ExitCode> {
  await demandSoundCurrent();
  const report = await withScratch(target, async (scratch) => {
    if (!json) console.error(`Applying the migrations and current.sql to ${scratch.name}`);
    return withClient(scratch.ownerUrl, async (client) => {
      const repeated = await applyTwice(scratch, client);
      const { findings, ...rest } = await inspect(client, all ? 'all' : 'current');
      return { ...rest, findings: [...repeated, ...findings] };
    });
  });
  if (json) console.log(JSON.stringify(report));
  else printReport(report);
  return report.findings.some(({ level }) => strict || level === 'error') ? 1 : 0;
}

/** Applies everything, and current.sql once more, as `watch` does at a save. */
async function applyTwice(scratch: Target, client: pg.Client): Promise<Finding[]> {
  const settings = await migrateSettings(scratch, () => {});
  const telling = await migrateSettings(scratch, (message, isError) => isError && console.error(message));
  await migrate(telling);
  await watch(telling, true);
  // Without its record graphile-migrate runs it again; with it, what has not changed is left out.
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
