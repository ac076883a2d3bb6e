import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { printReference } from '../support/printReference.ts';

test('the reference of npm run db shows the help of each verb: npm run reference', async () => {
  expect(await readFile(join(root, 'docs', 'reference', 'db.md'), 'utf8')).toBe(printReference());
});
