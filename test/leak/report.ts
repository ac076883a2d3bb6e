/** What went wrong. */
export interface Failure {
  /** One tenant saw what is another's, or a connection carried a tenant to the next request. */
  readonly leak: boolean;
  readonly what: string;
  readonly request: number;
  readonly scenario: string;
  readonly who: string;
  readonly sent: string;
  readonly received: string;
}

/** Counts by name. */
class Tally {
  readonly #counts = new Map<string, number>();
  add(name: string, times = 1): void {
    if (times > 0) this.#counts.set(name, (this.#counts.get(name) ?? 0) + times);
  }
  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }
  toString(): string {
    return [...this.#counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`)
      .join('\n');
  }
  get size(): number {
    return this.#counts.size;
  }
}

/** What a run has done and found. */
export class Report {
  readonly seed: number;
  requests = 0;
  probes = 0;
  /** What subscribers were sent. */
  events = 0;
  rounds = 0;
  /** Transactions that shared a write, and those that were run again on their own. */
  pipelined = 0;
  bypassed = 0;
  foreignRows = 0;
  hung = 0;
  unhandled = 0;
  /** Time-outs of tenants' requests that were the machine's. */
  excused = 0;
  dirtyConnections = 0;
  longestStall = 0;
  readonly kinds = new Tally();
  readonly outcomes = new Tally();
  readonly faults = new Tally();
  readonly faultScenarios = new Tally();
  readonly failures: Failure[] = [];

  constructor(seed: number) {
    this.seed = seed;
  }

  toString(): string {
    return [
      `seed ${this.seed}: ${this.requests} requests in ${this.rounds} rounds, ${this.probes} probes of connections, ${this.events} events`,
      `${this.pipelined} transactions shared a write with others, ${this.bypassed} were run again on their own`,
      `requests by kind:\n${this.kinds}`,
      `requests by outcome:\n${this.outcomes}`,
      `faults by kind:\n${this.faults}`,
      `requests by weather:\n${this.faultScenarios}`,
      `foreign rows ${this.foreignRows}, dirty connections ${this.dirtyConnections}, hung ${this.hung}, unhandled errors ${this.unhandled}, failures ${this.failures.length}, longest stall of the machine ${Math.round(this.longestStall)} ms, which excuses ${this.excused} time-outs`,
      ...this.failures.map((failure) => describeFailure(failure, this.seed)),
    ].join('\n');
  }
}

export function describeFailure({ what, request, scenario, who, sent, received }: Failure, seed: number): string {
  return `FAILED in request ${request} of seed ${seed} (${scenario}), ${who}: ${what}\n  sent: ${sent}\n  received: ${received}`;
}
