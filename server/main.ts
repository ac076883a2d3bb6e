import './heap.ts';
import './compileCache.ts';
// Before anything that loads Grafast, which reads its environment once.
import './graphql/grafastEnvironment.ts';

// Only what is imported from here on is kept by that cache.
await import('./run.ts');
