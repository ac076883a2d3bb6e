import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Node caches compiled code, which makes the next start a quarter faster. The cached code is executed, so the cache lies
// where only the user who installed the server can write. In a read-only checkout, nothing is cached. NODE_COMPILE_CACHE
// names another folder.
enableCompileCache(join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled'));
