import './heap.ts';
import '../common/compileCache.ts';
import { loadEnvironmentFile } from '../common/environmentFile.ts';
// Before anything that loads Grafast, which reads its environment once.
import './graphql/grafastEnvironment.ts';

loadEnvironmentFile();
// That cache keeps only modules that are imported from here on.
const { runServer } = await import('./run.ts');
await runServer();
