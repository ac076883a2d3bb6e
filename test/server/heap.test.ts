import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { root } from '../../common/root.ts';

/** V8's report of where it allocates objects, in a process that has imported `file` and keeps all objects. */
function statistics(file: string): string {
  const program = `await import('${pathToFileURL(`${root}/server/${file}`)}');
    const kept = []; for (let n = 0; n < 3e6; n++) kept[n % 5e5] = { n, more: [n, n] };`;
  const args = ['--trace-pretenuring-statistics', '--input-type=module', '--eval', program];
  // Not configured, the server says so and does not start.
  const options = { cwd: tmpdir(), env: { PATH: process.env.PATH, NODE_ENV: 'production' } };
  return spawnSync(process.execPath, args, { ...options, encoding: 'utf8' }).stdout;
}

test('V8 makes nothing in the old generation that may be dead soon', () => {
  expect(statistics('config.ts')).toContain('maybe tenure');
  expect(statistics('main.ts')).not.toContain('pretenuring');
});
