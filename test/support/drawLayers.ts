import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { instance } from '@viz-js/viz';
import { root } from '../../common/root.ts';

// `npm run picture`: draws the folders and their imports to docs/layers.svg.
const layers = ['common', 'postgres', 'lint', 'server', 'isolation', 'dba', 'dev'];
const args = [
  'depcruise',
  '--config',
  '.dependency-cruiser.mjs',
  '--output-type',
  'archi',
  '--include-only',
  `^(${layers.join('|')})/`,
  ...layers,
];
const { stdout } = await promisify(execFile)('npx', args, { cwd: root, maxBuffer: 1e8 });
await writeFile(
  new URL('../../docs/layers.svg', import.meta.url),
  (await instance()).renderString(stdout, { format: 'svg' }),
);
