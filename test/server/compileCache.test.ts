import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../common/root.ts';

const script = `import('./common/compileCache.ts').then(() => console.log(require('node:module').getCompileCacheDir()))`;

async function cacheOf(env: NodeJS.ProcessEnv): Promise<string> {
  const options = { cwd: root, env: { PATH: process.env.PATH, ...env } };
  return (await promisify(execFile)(process.execPath, ['-e', script], options)).stdout.trim();
}

test('what Node compiles is kept where only they who install the code can write', async () => {
  expect(await cacheOf({})).toContain(join(root, 'node_modules', '.cache', 'compiled'));
});

test('anyone who runs the server may name another place', async () => {
  const elsewhere = join(root, '.data', 'test', 'compiled elsewhere');
  expect(await cacheOf({ NODE_COMPILE_CACHE: elsewhere })).toContain(elsewhere);
});
