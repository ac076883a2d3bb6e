import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Node keeps what it has compiled for the next start, which takes a quarter less then. Where only they who installed the
// code can write, because it is run; where nobody can, nothing is kept. NODE_COMPILE_CACHE names another place.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled'));
