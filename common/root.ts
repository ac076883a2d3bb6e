import { join } from 'node:path';

/** The folder of the checkout: everything is found from it, whatever the current directory. */
export const root = join(import.meta.dirname, '..');
