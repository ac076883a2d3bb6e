import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { printReference } from './printReference.ts';

// `npm run reference`: writes docs/reference/db.md from the help texts of the verbs.
await writeFile(join(root, 'docs', 'reference', 'db.md'), printReference());
