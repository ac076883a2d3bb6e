import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { describeFailure, type Report } from './report.ts';
import { runLeakTest } from './run.ts';
import { startStockTarget } from './stock.ts';
import { startTarget, type Target } from './target.ts';
import { addTroubles } from './troubles.ts';
import { weathers } from './weather.ts';

// LEAK_SEED repeats the choices of a run that failed.
const seed = Number(process.env.LEAK_SEED ?? Math.floor(Math.random() * 1e9));
const usesPooler = process.env.TEST_POOLER !== undefined;

async function run(start: (db: TestDatabase) => Promise<Target>, requests: number): Promise<Report> {
  const db = await createTestDatabase();
  try {
    await addTroubles(db);
    const target = await start(db);
    try {
      return await runLeakTest(target, { seed, requests, weathers });
    } finally {
      await target.close();
    }
  } finally {
    await db.drop();
  }
}

const failures = (report: Report) => report.failures.map((failure) => describeFailure(failure, report.seed));

test.each([1, 3])(
  'with a pool of %i no tenant sees another’s rows, whatever fails',
  async (poolSize) => {
    const report = await run((db) => startTarget(db, poolSize), Number(process.env.N ?? 2000));
    console.log(String(report));
    expect(failures(report)).toEqual([]);
    expect(report).toMatchObject({ foreignRows: 0, dirtyConnections: 0, hung: 0 });
    expect(report.faults.size).toBeGreaterThan(20);
  },
  120_000,
);

// Behind a pooler it would fail for another reason: it sets parameters for the session.
(usesPooler ? test.skip : test)(
  'the same test finds the leak of the stock adaptor with query_timeout',
  async () => {
    const report = await run((db) => startStockTarget(db, 1), 3000);
    expect(report.failures).toMatchObject([{ leak: true }]);
    expect(report.foreignRows).toBeGreaterThan(0);
  },
  120_000,
);
