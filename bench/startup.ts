import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import type { BenchContext } from './candidate.ts';
import type { Dataset } from './measure.ts';
import type { Peer } from './peers.ts';
import type { Report } from './progress.ts';
import { send, subjects } from './requests.ts';
import { spawnServer, waitUntilListening } from './serverProcess.ts';
import { type Spread, spread } from './statistics.ts';

/** Start-up times in seconds. */
export interface StartupTimes {
  /** From the spawn of the server to its first answer to a GraphQL query. */
  readonly firstAnswer: Spread;
  /** `node -e 0`, from spawn to end. */
  readonly node: Spread;
  /** The difference of the two. */
  readonly beyondNode: Spread;
}

const repetitions = 5;

/** Measures the time from the start of the server to its first answer, on a migrated database. */
export async function measureStartup(
  peer: Peer,
  context: BenchContext,
  { database, tenants }: Dataset,
  report: Report,
): Promise<StartupTimes> {
  const [subject] = subjects(tenants);
  if (!subject) throw new Error('The database has no tenants.');
  const first: number[] = [];
  const bare: number[] = [];
  for (let index = 0; index < repetitions; index++) {
    report(`start-up, ${index + 1} of ${repetitions}`);
    bare.push(await seconds(nodeAlone));
    let stop = async () => {};
    first.push(
      await seconds(async () => {
        const env = { DATABASE_URL: database.serverUrl, JWT_SECRET: context.jwtSecret };
        const server = await spawnServer(peer.file, env);
        stop = server.stop;
        await waitUntilListening(server);
        await send(server, peer.api.list, subject, context.tokenOf);
      }),
    );
    await stop();
  }
  const beyond = first.map((value, index) => value - (bare[index] ?? Number.NaN));
  return { firstAnswer: spread(first), node: spread(bare), beyondNode: spread(beyond) };
}

async function nodeAlone(): Promise<void> {
  await once(spawn(process.execPath, ['-e', '0'], { cwd: tmpdir(), stdio: 'ignore' }), 'close');
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
