import type { FaultScenario } from './faultScenarios.ts';
import type { Owners } from './foreign.ts';
import type { Random } from './random.ts';
import type { Failure, Report } from './report.ts';
import type { StallDetector } from './stallDetector.ts';
import type { Target } from './target.ts';
import type { Tenant } from './tenant.ts';
import type { RequestInputs, TestRequest } from './testRequest.ts';

/** State that all workers of one run share. */
export interface Context {
  readonly target: Target;
  readonly owners: Owners;
  readonly tenants: readonly Tenant[];
  readonly invalidTokens: readonly (readonly [string, string | undefined])[];
  readonly report: Report;
  readonly stallDetector: StallDetector;
  /** Faults of single requests, in an endless shuffled sequence. */
  readonly faults: Generator<(inputs: RequestInputs) => TestRequest, never>;
  scenario: FaultScenario;
  /** Timeouts of this round that the scenario excuses only in small numbers; see `fewTimeouts`. */
  timeouts: number;
  /** Set by the first failure; the workers then stop. */
  halted: boolean;
}

/** One worker of a round: it sends requests one after the other. */
export interface Worker {
  readonly context: Context;
  readonly random: Random;
  /** Returns the number of the next request, or undefined at the end of the round. */
  next(): number | undefined;
}

/** Records a failure and ends the run. For a target that is not `strict`, only a leak is a failure. */
export function fail(context: Context, failure: Omit<Failure, 'scenario'>): void {
  if (!failure.leak && !context.target.strict) return;
  context.halted = true;
  context.report.failures.push({ ...failure, scenario: context.scenario.name });
}

/** Error codes that the scenario allows, plus timeouts if the machine stalled since `start`. */
export function allowedSince(context: Context, start: number): readonly string[] {
  const allowed = allowedByScenario(context);
  return context.stallDetector.since(start) ? [...allowed, 'TIMEOUT', 'UNAVAILABLE'] : allowed;
}

export function allowedByScenario({ scenario }: Context): readonly string[] {
  return scenario.fewTimeouts ? [...scenario.allowedCodes, 'TIMEOUT', 'UNAVAILABLE'] : scenario.allowedCodes;
}

/** Shortens the text of a request or an answer for the report. */
export function shorten(text: string): string {
  return text.length > 1500 ? `${text.slice(0, 1500)}… (${text.length} characters)` : text;
}
