import '../server/heap.ts';
import '../common/compileCache.ts';
import '../server/graphql/grafastEnvironment.ts';
import { loadEnvironmentFile } from '../common/environmentFile.ts';

loadEnvironmentFile();
// The compile cache applies only to modules that are imported from here on.
const { runServer } = await import('../server/run.ts');
if (process.env.NODE_ENV === 'production') await runServer();
else await runServer((await import('./development.ts')).prepare);
