import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { clientOptions } from '../../postgres/connectionString.ts';
import { withClient } from '../../postgres/withClient.ts';
import type { Attempt } from '../attempt.ts';
import type { Scope } from '../catalog.ts';
import type { Control } from '../controls.ts';
import { serve } from '../http/serve.ts';
import { interleave } from '../interleaving/interleave.ts';
import { prepareTestBed } from '../interleaving/prepareTestBed.ts';
import { attackApi } from './attackApi.ts';
import { Client } from './client.ts';
import { createScratchContext, type Scratch } from './scratch.ts';

export interface ProveApiOptions {
  /** Connects to a scratch database as a role that bypasses row-level security. */
  readonly adminUrl: string;
  /** Connects to the same database as hedgerow_authenticator. */
  readonly serverUrl: string;
  readonly scope: Scope;
  readonly seed: number;
  readonly fixtures?: string;
  /** Pool sizes. The attacks run once with each. */
  readonly poolSizes: readonly number[];
  /** The number of interleaved operations; 0 for none. They run last, because they inject faults into the database. */
  readonly operations: number;
  /** Selects the tables whose fields are attacked; defaults to all. */
  readonly only?: ((table: string) => boolean) | undefined;
  readonly progress: (line: string) => void;
}

export interface ApiProof {
  readonly attempts: readonly Attempt[];
  /** Fields that work for A, and fields that work for no one for a reason in the catalog. */
  readonly controls: readonly Control[];
  /** Reasons why the run proves nothing, one sentence each. */
  readonly unproven: readonly string[];
}

/** The pool size for interleaved operations. */
const sharedPool = 2;

/** Starts the real server on the database and attacks it. */
export async function proveApi(options: ProveApiOptions): Promise<ApiProof> {
  try {
    return await attackServers(options);
  } catch (error) {
    if (!(error instanceof NoServerError)) throw error;
    return { attempts: [], controls: [], unproven: [error.message] };
  }
}

async function attackServers(options: ProveApiOptions): Promise<ApiProof> {
  const { scope, seed, poolSizes, operations, only, progress } = options;
  const attempts: Attempt[] = [];
  const unproven = new Set<string>();
  const controls = new Map<string, Control>();
  for (const poolSize of poolSizes) {
    await withServer(options, poolSize, async ({ context, revokedActors, accounts, problems }, reasons) => {
      for (const problem of problems) unproven.add(problem);
      progress(`attacking the API, through a pool of ${poolSize}`);
      const result = await attackApi(context, { revokedActors, accounts, only, progress });
      attempts.push(...result.attempts);
      for (const sentence of result.unproven) unproven.add(sentence);
      for (const control of result.controls) controls.set(`${control.table} ${control.statement}`, control);
      for (const sentence of result.failures) unproven.add(`the server failed (${reasons[0]}): ${sentence}`);
    });
  }
  if (operations > 0) {
    await withServer(options, sharedPool, async (scratch) => {
      const admin = new pg.Pool({ ...clientOptions(options.adminUrl), max: 4 });
      admin.on('error', () => {});
      try {
        const testBed = await prepareTestBed(scratch, admin, only);
        if (testBed.types.length === 0) return;
        const result = await interleave(testBed, { seed, operations, progress, tableOf: scratch.context.tableOf });
        attempts.push(...result.attempts);
        // Each answer was compared with the tenant's expected rows.
        const statement = `${result.operations} interleaved operations`;
        controls.set(statement, {
          table: scope.schema,
          operation: 'other',
          statement,
          works: result.attempts.some(({ outcome }) => outcome !== 'not applicable'),
          answer: 'compared with the rows that the tenant expects',
        });
        for (const sentence of result.failures) unproven.add(`interleaved: ${sentence}`);
      } finally {
        await admin.end();
      }
    });
  }
  return { attempts, controls: [...controls.values()], unproven: [...unproven] };
}

/** The server does not start, for example because a table's name conflicts with a name in the API. */
class NoServerError extends Error {}

async function withServer(
  { adminUrl, serverUrl, scope, seed, fixtures }: ProveApiOptions,
  poolSize: number,
  use: (scratch: Scratch, reasons: readonly string[]) => Promise<void>,
): Promise<void> {
  const reasons: string[] = [];
  const jwtSecret = randomBytes(32).toString('hex');
  const onError = ({ message }: Error) => reasons.push(message);
  const served = await serve({ serverUrl, poolSize, jwtSecret, onError }).catch((error) => {
    throw new NoServerError(`The API was not attacked, because the server does not start: ${(error as Error).message}`);
  });
  const client = new Client(served.url);
  try {
    await withClient(adminUrl, async (admin) => {
      await admin.query('set jit = off');
      await use(
        await createScratchContext(client, { admin, scope, seed, jwtSecret, ...(fixtures && { fixtures }) }),
        reasons,
      );
    });
  } finally {
    client.close();
    await served.close();
  }
}
