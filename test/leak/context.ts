import type { FaultScenario } from './faultScenarios.ts';
import type { Owners } from './foreign.ts';
import type { Random } from './random.ts';
import type { Failure, Report } from './report.ts';
import type { StallDetector } from './stallDetector.ts';
import type { Target } from './target.ts';
import type { Tenant } from './tenant.ts';
import type { RequestInputs, TestRequest } from './testRequest.ts';

/** What all parts of one run share. */
export interface Context {
  readonly target: Target;
  readonly owners: Owners;
  readonly tenants: readonly Tenant[];
  readonly invalidTokens: readonly (readonly [string, string | undefined])[];
  readonly report: Report;
  readonly stallDetector: StallDetector;
  /** The faults of single requests, one after the other. */
  readonly faults: Generator<(inputs: RequestInputs) => TestRequest, never>;
  scenario: FaultScenario;
  /** Time-outs of this round that its weather explains only if they are few. */
  timeouts: number;
  /** Something is wrong: nothing more is sent. */
  halted: boolean;
}

export interface Worker {
  readonly context: Context;
  readonly random: Random;
  /** The number of the next request of the round, or undefined when it is over. */
  next(): number | undefined;
}

/** Notes what is wrong and ends the run; against a server without the contract, only if it is a leak. */
export function fail(context: Context, failure: Omit<Failure, 'scenario'>): void {
  if (!failure.leak && !context.target.strict) return;
  context.halted = true;
  context.report.failures.push({ ...failure, scenario: context.scenario.name });
}

/** The codes that the weather allows, and time-outs where the machine itself stood still since `start`. */
export function allowedSince(context: Context, start: number): readonly string[] {
  const allowed = allowedByScenario(context);
  return context.stallDetector.since(start) ? [...allowed, 'TIMEOUT', 'UNAVAILABLE'] : allowed;
}

export function allowedByScenario({ scenario }: Context): readonly string[] {
  return scenario.fewTimeouts ? [...scenario.allowedCodes, 'TIMEOUT'] : scenario.allowedCodes;
}

/** Text of a request or an answer, short enough to be read. */
export function shorten(text: string): string {
  return text.length > 1500 ? `${text.slice(0, 1500)}… (${text.length} characters)` : text;
}
