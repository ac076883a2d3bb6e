import pg from 'pg';
import { Client } from '../../isolation/api/client.ts';
import { createScratchContext } from '../../isolation/api/scratch.ts';
import { hedgerowScope } from '../../isolation/hedgerow/scope.ts';
import { serve } from '../../isolation/http/serve.ts';
import { type InterleavingResult, interleave } from '../../isolation/interleaving/interleave.ts';
import { prepareTestBed } from '../../isolation/interleaving/prepareTestBed.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { jwtSecret } from '../support/server.ts';

// INTERLEAVING_SEED repeats the choices of a run that failed.
const seed = Number(process.env.INTERLEAVING_SEED ?? Math.floor(Math.random() * 1e9));

async function run(
  operations: number,
  change: (db: TestDatabase) => Promise<unknown> = async () => {},
): Promise<InterleavingResult> {
  const db = await createTestDatabase();
  const served = await serve({ serverUrl: db.serverUrl, poolSize: 2, jwtSecret });
  const client = new Client(served.url);
  const admin = new pg.Client({ connectionString: db.adminUrl });
  const pool = new pg.Pool({ connectionString: db.adminUrl, max: 4 });
  pool.on('error', () => {});
  try {
    await admin.connect();
    const scratch = await createScratchContext(client, { admin, scope: hedgerowScope, seed: 1, jwtSecret });
    const testBed = await prepareTestBed(scratch, pool);
    await change(db);
    return await interleave(testBed, { seed, operations, tableOf: scratch.context.tableOf });
  } finally {
    await admin.end();
    await pool.end();
    client.close();
    await served.close();
    await db.drop();
  }
}

test('concurrent tenants read only their own rows, even under faults', async () => {
  const result = await run(400);
  expect({ ...result, attempts: result.attempts.filter(({ outcome }) => outcome === 'leaked') }).toMatchObject({
    attempts: [],
    failures: [],
    shrunk: undefined,
  });
  expect(result.operations).toBeGreaterThanOrEqual(400);
}, 120_000);

test('a policy that lets all tenants read is found, and the failing run shrinks to at most two steps', async () => {
  const result = await run(400, (db) => db.asAdmin('alter policy select_own on app_public.todos using (true)'));
  expect(result.shrunk?.length).toBeLessThanOrEqual(2);
  expect(result.attempts.at(-1)).toMatchObject({
    table: 'app_public.todos',
    outcome: 'leaked',
    path: 'interleaving',
    evidence: expect.stringMatching(/received a value of another tenant/),
  });
}, 120_000);
