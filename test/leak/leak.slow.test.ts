import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { addFaultFunctions } from './faultFunctions.ts';
import { type FaultScenario, faultScenarios, slowScenarios } from './faultScenarios.ts';
import { describeFailure, Report } from './report.ts';
import { runLeakTest } from './run.ts';
import { startStockTarget } from './stock.ts';
import { disconnections } from './subscriber.ts';
import { startTarget, type Target } from './target.ts';

// LEAK_SEED repeats the random choices of a failed run.
const seed = Number(process.env.LEAK_SEED ?? Math.floor(Math.random() * 1e9));
const usesPooler = process.env.TEST_POOLER !== undefined;

/** Faults so frequent that each must occur in every run. */
const frequentFaults = [
  'a backend killed',
  'all backends killed',
  'a statement canceled',
  ...['before', 'during', 'after'].map((when) => `socket aborted ${when} the answer`),
  ...disconnections.map(({ when }) => `subscription closed ${when}`),
];

async function run(
  start: (db: TestDatabase) => Promise<Target>,
  options: { requests: number; faultScenarios: readonly FaultScenario[] },
): Promise<Report> {
  const report = new Report(seed);
  const db = await createTestDatabase();
  try {
    await addFaultFunctions(db);
    const target = await start(db);
    try {
      await runLeakTest(target, { report, ...options });
    } finally {
      await target.close();
    }
  } finally {
    await db.drop();
  }
  return report;
}

test.each([1, 3])(
  'no tenant sees rows of another with a pool of %i, whatever fails',
  async (poolSize) => {
    const report = await run((db) => startTarget(db, poolSize), { requests: 2000, faultScenarios });
    expect(report.failures.map((failure) => describeFailure(failure, seed))).toEqual([]);
    expect(report).toMatchObject({ foreignRows: 0, dirtyConnections: 0, hung: 0, unhandled: 0 });
    expect(report.events).toBeGreaterThan(0);
    expect(frequentFaults.filter((fault) => report.faults.of(fault) === 0)).toEqual([]);
    expect(report.faults.size).toBeGreaterThan(50);
  },
  120_000,
);

// Shows that the leak test can fail: after some hundred requests, an unauthenticated client sees a tenant's rows. The
// other fault scenarios show it too, but later. Behind a pooler the stock adaptor fails for another reason: it sets
// parameters for the session.
(usesPooler ? test.skip : test)(
  'the leak test finds the leak of the stock adaptor with query_timeout',
  async () => {
    const report = await run((db) => startStockTarget(db, 1), { requests: 6000, faultScenarios: slowScenarios });
    expect(report.failures[0]).toMatchObject({ leak: true, who: expect.stringContaining('unauthenticated (') });
    expect(report.foreignRows).toBeGreaterThan(0);
  },
  240_000,
);
