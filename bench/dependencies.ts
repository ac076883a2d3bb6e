import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Report } from './progress.ts';

/** Installs the dependencies of the peers on first use, and again when bench/package-lock.json has changed. */
export async function installDependencies(report: Report): Promise<void> {
  const lock = await readFile(join(import.meta.dirname, 'package-lock.json'), 'utf8');
  const installed = join(import.meta.dirname, 'node_modules', '.installed');
  if ((await readFile(installed, 'utf8').catch(() => '')) === lock) return;
  report('installing the dependencies of bench/package.json: npm ci');
  try {
    await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund'], { cwd: import.meta.dirname });
  } catch (error) {
    throw new Error(`npm ci in bench/ failed:\n${(error as { stderr?: string }).stderr}`);
  }
  await writeFile(installed, lock);
}
