import { execFile } from 'node:child_process';
import { cp, mkdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import type { TestCluster } from './cluster.ts';
import { type Running, run } from './running.ts';

/** A copy of the checkout that commands may change, with its own embedded Postgres. */
export interface Checkout {
  readonly directory: string;
  /** Runs a file with Node and waits for its end. */
  run(file: string, args?: readonly string[], env?: NodeJS.ProcessEnv): Promise<{ code: number; output: string }>;
  /** Starts a file with Node. Stop the process before `remove`. */
  start(file: string, args?: readonly string[], env?: NodeJS.ProcessEnv): Running;
  remove(): Promise<void>;
}

export async function copyCheckout(): Promise<Checkout> {
  const directory = await claimFolder();
  await mkdir(join(directory, 'migrations'));
  for (const path of [
    'common',
    'postgres',
    'server',
    'lint',
    'dba',
    'dev',
    'isolation',
    'migrations',
    'current.sql',
    '.gmrc',
    'package.json',
  ]) {
    await cp(join(root, path), join(directory, path), { recursive: true, verbatimSymlinks: true });
  }
  const { example } = JSON.parse(process.env.TEST_CLUSTER ?? '{}') as Partial<TestCluster>;
  if (example) await cp(example.folder, join(directory, 'migrations'), { recursive: true, force: true });
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  const baseEnv = { PATH, HOME, NODE_COMPILE_CACHE };
  return {
    directory,
    run: (file, args = [], env = {}) =>
      new Promise((resolve) => {
        const options = { cwd: directory, env: { ...baseEnv, ...env } };
        const child = execFile(process.execPath, [file, ...args], options, (_error, stdout, stderr) => {
          resolve({ code: child.exitCode ?? -1, output: stdout + stderr });
        });
        child.stdin?.end();
      }),
    start: (file, args = [], env = {}) => run([file, ...args], { cwd: directory, env: { ...baseEnv, ...env } }),
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}

/**
 * Creates the first free folder of a series. A checkout then often has the path of a removed one, whose files are in
 * Node's compile cache under that path.
 *
 * Only the owner may enter the folder. As root, this also tests that Postgres, which does not run as root, gets access.
 */
async function claimFolder(): Promise<string> {
  for (let number = 1; ; number++) {
    const folder = join(tmpdir(), `hedgerow-checkout-${number}`);
    try {
      await mkdir(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
