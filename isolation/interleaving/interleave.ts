import fc from 'fast-check';
import { type Attempt, shorten } from '../attempt.ts';
import { execute, Finding } from './execute.ts';
import { type Step, steps } from './operations.ts';
import type { TestBed } from './prepareTestBed.ts';

/** The maximum number of steps in one run. */
const maxSteps = 80;

/** The maximum number of shrunken runs. */
const maxShrunkRuns = 60;
/** The attempts to reproduce a finding in each shrunken run. It may depend on which request the server answers first. */
const attemptsPerShrunkRun = 3;

export interface InterleavingOptions {
  readonly seed: number;
  /** The number of operations after which the search stops. */
  readonly operations: number;
  readonly tableOf: (type: string) => string;
  readonly progress?: (line: string) => void;
}

export interface InterleavingResult {
  readonly attempts: readonly Attempt[];
  readonly operations: number;
  /** Wrong answers that reveal no data of another tenant. */
  readonly failures: readonly string[];
  /** The fewest steps that reproduce the finding. */
  readonly shrunk: readonly Step[] | undefined;
}

/**
 * Runs random steps of several tenants concurrently. It has two phases:
 *
 * 1. Search: it executes lists of steps until a finding occurs or the number of operations is reached.
 * 2. Shrink: after a finding, fast-check proposes shorter lists, and each is executed several times.
 */
export async function interleave(
  testBed: TestBed,
  { seed, operations, tableOf, progress = () => {} }: InterleavingOptions,
): Promise<InterleavingResult> {
  const counts = new Map<string, { table: string; operation: string; count: number }>();
  let done = 0;
  let found: Finding | undefined;
  let shrunkRuns = 0;
  const count = (operation: string, type: string) => {
    const key = `${type} ${operation}`;
    const before = counts.get(key) ?? { table: tableOf(type), operation, count: 0 };
    counts.set(key, { ...before, count: before.count + 1 });
    done++;
    if (done % 500 === 0) progress(`${done} interleaved operations`);
  };
  const property = fc.asyncProperty(steps(testBed.tenants.length, maxSteps), async (list) => {
    // Once a limit is reached, the remaining runs of fast-check pass without work.
    if (found ? shrunkRuns++ >= maxShrunkRuns : done >= operations) return;
    for (let attempt = 0; attempt < (found ? attemptsPerShrunkRun : 1); attempt++) {
      try {
        await execute(testBed, list, found ? () => {} : count);
      } catch (error) {
        if (!(error instanceof Finding)) throw error;
        // A leak must not shrink to a finding that is no leak.
        if (found?.leak && !error.leak) continue;
        found = error;
        throw error;
      }
    }
  });
  const result = await fc.check(property, { seed, numRuns: operations });
  if (result.failed && !found) throw result.errorInstance;
  const shrunk = result.counterexample?.[0];
  const held = [...counts.values()].map(({ table, operation, count: times }) =>
    heldAttempt(table, operation, `${times} operations`),
  );
  const leak = found?.leak ? [leakOf(found, tableOf(found.type), seed, shrunk ?? [])] : [];
  return {
    attempts: [...held, ...leak],
    operations: done,
    failures:
      found && !found.leak
        ? [`${found.message} (seed ${seed}): ${shorten(found.statement)} got ${shorten(found.answer)}`]
        : [],
    shrunk,
  };
}

function heldAttempt(table: string, name: string, statement: string): Attempt {
  const operation = ({ create: 'insert', update: 'update', delete: 'delete' } as const)[name] ?? 'select';
  return {
    table,
    attack: `interleaved: ${name}`,
    operation,
    path: 'interleaving',
    statement,
    answer: 'as the model expects',
    outcome: 'held',
  };
}

function leakOf(
  { message, statement, answer }: Finding,
  table: string,
  seed: number,
  shrunk: readonly Step[],
): Attempt {
  const listed = shrunk
    .map(({ tenant, operation, fault }) => `tenant ${tenant}: ${operation}${fault ? ` (${fault})` : ''}`)
    .join(', then ');
  return {
    table,
    attack: 'interleaved',
    operation: 'select',
    path: 'interleaving',
    statement: shorten(statement),
    answer: shorten(answer),
    outcome: 'leaked',
    evidence: `${message}. With seed ${seed}, ${shrunk.length} of the steps reproduce it: ${listed}`,
  };
}
