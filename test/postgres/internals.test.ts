import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';

/** The versions whose private parts postgres/ uses: read those parts again before changing a version here. */
const versions = { 'graphile-migrate': '2.0.0-rc.3', pg: '8.23.1', 'pg-protocol': '1.16.1' };

const readJson = async (...path: string[]) => JSON.parse(await readFile(join(root, ...path), 'utf8'));

test.each(Object.entries(versions))('%s is pinned and installed at version %s', async (name, version) => {
  expect((await readJson('package.json')).dependencies[name]).toBe(version);
  expect((await readJson('node_modules', name, 'package.json')).version).toBe(version);
});
