import { join } from 'node:path';

/** The folder of the checkout. Paths start from it, so that the current directory does not matter. */
export const root = join(import.meta.dirname, '..');
