import { styleText } from 'node:util';
import { z } from 'zod';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { guard } from '../../postgres/target/guard.ts';
import { databaseOf } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { readManifest } from '../backup/manifest.ts';
import { lookAt, restoreBackup } from '../backup/restore.ts';
import { branchDatabase } from '../branches/postgres.ts';
import { command, onAnyTarget } from '../cli/command.ts';
import { allowed, dangerous, type Permission } from '../cli/danger.ts';
import { demandSameServer } from '../cli/sameServer.ts';
import { restoreToTime } from '../neon/branches.ts';
import { neonProject } from '../neon/project.ts';

interface Options extends Permission {
  readonly replace?: boolean;
  readonly disconnect?: boolean;
  readonly at?: string;
}

export const restoreCommand = dangerous(
  command('restore', 'put a backup in the place of the database, or on Neon the database of an earlier time'),
)
  .argument('[file]', 'what `backup` wrote')
  .option('--replace', 'also where the database is not empty; it is kept as a branch')
  .option('--disconnect', 'end the connections that are in the way, whose work is lost')
  .option('--at <time>', 'on Neon, instead of a file: ISO 8601, such as 2026-02-28T12:00:00Z')
  .action(onAnyTarget<Options, [string | undefined]>(restore));

async function restore(target: Target, options: Options, file: string | undefined): Promise<ExitCode> {
  if ((file === undefined) === (options.at === undefined)) {
    throw new UsageError('Say what to restore: the file of a backup, or on Neon --at and a time.');
  }
  return file === undefined ? restoreTime(target, options, options.at as string) : restoreFile(target, options, file);
}

async function restoreTime(target: Target, options: Options, at: string): Promise<ExitCode> {
  const time = z.iso.datetime({ offset: true }).safeParse(at).success ? new Date(at) : undefined;
  if (!time || time > new Date()) {
    throw new UsageError(`${at} is not a time that has been, in full and with its zone: 2026-02-28T12:00:00Z.`);
  }
  const neon = neonProject(process.env);
  if (!neon) {
    throw new UsageError(
      '--at is for Neon, and takes NEON_API_KEY and NEON_PROJECT_ID. On a Postgres of your own restore a backup, or its archived WAL.',
    );
  }
  if (!(await allowed(`This takes ${target.name} back to ${time.toISOString()}.`, options))) return 1;
  const kept = await restoreToTime(target, neon, time.toISOString());
  console.log(`${styleText('green', '✓')} ${target.name} is as it was at ${time.toISOString()}`);
  tellKept(kept);
  return 0;
}

async function restoreFile(target: Target, options: Options, file: string): Promise<ExitCode> {
  const { replace = false, disconnect = false } = options;
  const manifest = await readManifest(file);
  await demandSameServer(target);
  const found = await lookAt(target);
  // Without roles hedgerow_owner cannot even ask.
  if (found.prepared) await guard('DATABASE_URL_DIRECT', target.ownerUrl);
  if (!found.empty && !replace) {
    throw new UsageError(
      `${target.name} is not empty. Say --replace to put the backup in its place; it is kept as a branch.`,
    );
  }
  const what = `This puts ${file}, which is ${manifest.database} of ${manifest.createdAt}, in the place of ${target.name}.`;
  if (!(await allowed(what, options))) return 1;
  const kept = await restoreBackup(target, found, { file, manifest, disconnect });
  console.log(`${styleText('green', '✓')} ${target.name} is as it was on ${manifest.createdAt}`);
  // On Neon the branches that the verbs know are Neon's own.
  if (kept && neonProject(process.env))
    console.log(`What was there before is database ${branchDatabase(databaseOf(target.ownerUrl), kept)}`);
  else if (kept) tellKept(kept);
  return 0;
}

function tellKept(branch: string): void {
  console.log(`What was there before is branch ${branch}. Take it back: npm run db -- branch promote ${branch}`);
}
