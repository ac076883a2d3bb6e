import '../common/compileCache.ts';
import { loadEnvironmentFile } from '../common/environmentFile.ts';
import { program } from './program.ts';

loadEnvironmentFile();
await program.parseAsync();
