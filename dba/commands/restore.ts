import { styleText } from 'node:util';
import { z } from 'zod';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { guard } from '../../postgres/target/guard.ts';
import { databaseOf } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { readManifest } from '../backup/manifest.ts';
import { readState, restoreBackup } from '../backup/restore.ts';
import { branchDatabase } from '../branches/postgres.ts';
import { command, onAnyTarget } from '../cli/command.ts';
import { type Confirmation, confirm, withConfirmation } from '../cli/confirmation.ts';
import { demandSameServer } from '../cli/sameServer.ts';
import { restoreToTime } from '../neon/branches.ts';
import { neonProject } from '../neon/project.ts';

interface Options extends Confirmation {
  readonly replace?: boolean;
  readonly disconnect?: boolean;
  readonly at?: string;
}

export const restoreCommand = withConfirmation(
  command('restore', 'replace the database with a backup, or on Neon with its state at an earlier time'),
)
  .argument('[file]', 'a file that `backup` wrote')
  .option('--replace', 'replace a database that is not empty; it is kept as a branch')
  .option('--disconnect', 'terminate connections that block the operation; their work is lost')
  .option('--at <time>', 'on Neon, instead of a file: a time in ISO 8601, such as 2026-02-28T12:00:00Z')
  .action(onAnyTarget<Options, [string | undefined]>(restore));

async function restore(target: Target, options: Options, file: string | undefined): Promise<ExitCode> {
  if ((file === undefined) === (options.at === undefined)) {
    throw new UsageError('Give either a backup file, or, on Neon, --at with a time.');
  }
  return file === undefined ? restoreTime(target, options, options.at as string) : restoreFile(target, options, file);
}

async function restoreTime(target: Target, options: Options, at: string): Promise<ExitCode> {
  const time = z.iso.datetime({ offset: true }).safeParse(at).success ? new Date(at) : undefined;
  if (!time || time > new Date()) {
    throw new UsageError(`${at} is not a past time with date and time zone. Write it like 2026-02-28T12:00:00Z.`);
  }
  const neon = neonProject(process.env);
  if (!neon) {
    throw new UsageError(
      '--at works only on Neon, with NEON_API_KEY and NEON_PROJECT_ID. On another Postgres, restore a backup or archived WAL.',
    );
  }
  if (!(await confirm(`This restores ${target.name} to its state at ${time.toISOString()}.`, options))) return 1;
  const kept = await restoreToTime(target, neon, time.toISOString());
  console.log(`${styleText('green', '✓')} ${target.name} is restored to its state at ${time.toISOString()}`);
  tellKept(kept);
  return 0;
}

async function restoreFile(target: Target, options: Options, file: string): Promise<ExitCode> {
  const { replace = false, disconnect = false } = options;
  const manifest = await readManifest(file);
  await demandSameServer(target);
  const found = await readState(target);
  // The guard connects as hedgerow_owner, so it can run only if the roles exist.
  if (found.prepared) await guard('DATABASE_URL_DIRECT', target.ownerUrl);
  if (!found.empty && !replace) {
    throw new UsageError(
      `${target.name} is not empty. To replace it with the backup, add --replace; the current database is kept as a branch.`,
    );
  }
  const what = `This replaces ${target.name} with ${file}, a backup of ${manifest.database} from ${manifest.createdAt}.`;
  if (!(await confirm(what, options))) return 1;
  const kept = await restoreBackup(target, found, { file, manifest, disconnect });
  console.log(`${styleText('green', '✓')} ${target.name} is restored to its state at ${manifest.createdAt}`);
  // With Neon, `branch` manages only Neon branches, so print the name of the database instead.
  if (kept && neonProject(process.env))
    console.log(`The replaced database is now ${branchDatabase(databaseOf(target.ownerUrl), kept)}`);
  else if (kept) tellKept(kept);
  return 0;
}

function tellKept(branch: string): void {
  console.log(`The replaced database is branch ${branch}. To undo this: npm run db -- branch promote ${branch}`);
}
