import './heap.ts';
import '../common/compileCache.ts';
import { loadEnvironmentFile } from '../common/environmentFile.ts';
// Import this before anything that loads Grafast, which reads its environment once.
import './graphql/grafastEnvironment.ts';

loadEnvironmentFile();
// The compile cache applies only to modules that are imported from here on.
const { runServer } = await import('./run.ts');
await runServer();
