import { Flood } from './flood.ts';
import type { Job } from './job.ts';

let flood: Flood | undefined;

process.on('message', (message: Job | 'stop') => {
  if (message !== 'stop') {
    flood = new Flood(message);
    return;
  }
  process.send?.(flood?.stop());
  flood = undefined;
});
process.on('disconnect', () => process.exit());
