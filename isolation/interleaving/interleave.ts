import fc from 'fast-check';
import { type Attempt, shorten } from '../attempt.ts';
import { execute, Finding } from './execute.ts';
import { type Step, steps } from './operations.ts';
import type { TestBed } from './testBed.ts';

/** Steps of one run at most; they shrink to the fewest that still show what is wrong. */
const length = 80;

/** Runs of shrunken steps, each tried so often, because what is wrong may depend on who came first. */
const shrinks = 60;
const repeats = 3;

export interface InterleavingOptions {
  readonly seed: number;
  readonly operations: number;
  readonly tableOf: (type: string) => string;
  readonly progress?: (line: string) => void;
}

export interface InterleavingResult {
  readonly attempts: readonly Attempt[];
  readonly operations: number;
  /** What was wrong without anybody having seen what is another's. */
  readonly failures: readonly string[];
  /** The fewest steps that show it. */
  readonly shrunk: readonly Step[] | undefined;
}

/** Random steps of many tenants at once, until there were enough or something is wrong. */
export async function interleave(
  stage: TestBed,
  { seed, operations, tableOf, progress = () => {} }: InterleavingOptions,
): Promise<InterleavingResult> {
  const counts = new Map<string, { table: string; kind: string; count: number }>();
  let done = 0;
  let found: Finding | undefined;
  let tried = 0;
  const count = (kind: string, type: string) => {
    const key = `${type} ${kind}`;
    const before = counts.get(key) ?? { table: tableOf(type), kind, count: 0 };
    counts.set(key, { ...before, count: before.count + 1 });
    done++;
    if (done % 500 === 0) progress(`${done} interleaved operations`);
  };
  const property = fc.asyncProperty(steps(stage.tenants.length, length), async (list) => {
    // Enough was done, or tried to make it shorter: what is left of fast-check's runs passes.
    if (found ? tried++ >= shrinks : done >= operations) return;
    for (let attempt = 0; attempt < (found ? repeats : 1); attempt++) {
      try {
        await execute(stage, list, found ? () => {} : count);
      } catch (error) {
        if (!(error instanceof Finding)) throw error;
        // A leak is not made shorter to something that is none.
        if (found?.leak && !error.leak) continue;
        found = error;
        throw error;
      }
    }
  });
  const result = await fc.check(property, { seed, numRuns: operations });
  if (result.failed && !found) throw result.errorInstance;
  const shrunk = result.counterexample?.[0];
  const held = [...counts.values()].map(({ table, kind, count: times }) => attempt(table, kind, `${times} operations`));
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

function attempt(table: string, kind: string, statement: string): Attempt {
  const operation = ({ create: 'insert', update: 'update', delete: 'delete' } as const)[kind] ?? 'select';
  return {
    table,
    attack: `interleaved: ${kind}`,
    operation,
    path: 'interleaving',
    statement,
    answer: 'as the model has it',
    outcome: 'held',
  };
}

function leakOf(
  { message, statement, answer }: Finding,
  table: string,
  seed: number,
  shrunk: readonly Step[],
): Attempt {
  const told = shrunk
    .map(({ tenant, kind, fault }) => `tenant ${tenant}: ${kind}${fault ? ` (${fault})` : ''}`)
    .join(', then ');
  return {
    ...{ table, attack: 'interleaved', operation: 'select', path: 'interleaving' },
    statement: shorten(statement),
    answer: shorten(answer),
    outcome: 'leaked',
    evidence: `${message}. It takes ${shrunk.length} of the steps of seed ${seed}: ${told}`,
  };
}
