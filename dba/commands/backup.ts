import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { makeBackup } from '../backup/make.ts';
import { type Manifest, readManifest } from '../backup/manifest.ts';
import { verifyBackup } from '../backup/verify.ts';
import { command, onTarget } from '../cli/command.ts';
import { shellWord } from '../cli/output.ts';
import { duration, size } from '../cli/progress.ts';

interface Json {
  readonly json?: boolean;
}

export const backupCommand = command('backup', 'write the whole database to a file')
  .enablePositionalOptions()
  .argument('<file>')
  .option('--force', 'overwrite an existing backup')
  .option('--json', 'print JSON')
  .action(onTarget<Json & { force?: boolean }, [string]>(backup))
  .addCommand(
    command('verify', 'restore a backup to a scratch database, then compare and inspect the result')
      .argument('<file>')
      .option('--no-attacks', 'do not attack one tenant as another in the restored database')
      .option('--json', 'print JSON')
      .action(onTarget<Json & { attacks: boolean }, [string]>(verify)),
  );

async function backup(target: Target, { json, force = false }: Json & { force?: boolean }, file: string) {
  const start = performance.now();
  if (!json) console.log(`Backing up ${target.name}`);
  const manifest = await makeBackup(target, file, force);
  if (json) console.log(JSON.stringify({ file, ...manifest }));
  else {
    const took = duration(performance.now() - start);
    console.log(`${styleText('green', '✓')} ${file}: ${size(manifest.bytes)}, ${content(manifest)}, in ${took}`);
    console.log(`Next: npm run db -- backup verify ${shellWord(file)}`);
  }
  return 0;
}

async function verify(target: Target, { json, attacks }: Json & { attacks: boolean }, file: string): Promise<ExitCode> {
  const manifest = await readManifest(file);
  if (!json)
    console.log(`Verifying ${file}: ${manifest.database} of ${manifest.createdAt} on the server of ${target.name}`);
  const { differences, findings } = await verifyBackup(target, file, manifest, attacks);
  const sound = differences.length === 0 && !findings.some(({ level }) => level === 'error');
  if (json) console.log(JSON.stringify({ file, createdAt: manifest.createdAt, differences, findings }));
  else {
    for (const difference of differences) console.log(`${styleText('red', '✗')} ${difference}`);
    for (const { level, rule, object, detail } of findings) {
      const sign = level === 'error' ? styleText('red', '✗') : styleText('yellow', '!');
      console.log(`${sign} ${rule}: ${object}: ${detail}`);
    }
    if (sound) console.log(`${styleText('green', '✓')} ${content(manifest)}, all as in the manifest`);
  }
  return sound ? 0 : 1;
}

function content({ tables }: Manifest): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return `${rows} rows in ${tables.length} tables`;
}
