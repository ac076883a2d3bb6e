import './heap.ts';
import './compileCache.ts';

// Only what is imported from here on is kept by that cache.
await import('./run.ts');
