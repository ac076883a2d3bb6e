import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from './progress.ts';

/** Installs what the peers need beside the server's own dependencies, on first use and when it has changed. */
export async function installDependencies(report: Report): Promise<void> {
  const lock = await readFile(join(import.meta.dirname, 'package-lock.json'), 'utf8');
  const installed = join(import.meta.dirname, 'node_modules', '.installed');
  if ((await readFile(installed, 'utf8').catch(() => '')) === lock) return;
  report('installing bench/package.json, on first use: npm ci');
  try {
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: import.meta.dirname });
  } catch (error) {
    throw new Error(`npm ci in bench/ failed:\n${(error as { stderr?: string }).stderr}`);
  }
  await writeFile(installed, lock);
}
