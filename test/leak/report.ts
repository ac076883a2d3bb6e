/** The evidence of one failed check. */
export interface Failure {
  /** Whether a tenant saw data of another, or a connection carried an identity to the next request. */
  readonly leak: boolean;
  readonly what: string;
  readonly request: number;
  readonly scenario: string;
  /** The client or the check that failed. */
  readonly who: string;
  readonly sent: string;
  readonly received: string;
}

/** Counters by name. */
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

/** Counters and failures of a run. */
export class Report {
  readonly seed: number;
  requests = 0;
  probes = 0;
  /** Events that subscribers received. */
  events = 0;
  rounds = 0;
  /** Transactions that ran pipelined, and transactions that ran again on their own connection. */
  pipelined = 0;
  bypassed = 0;
  foreignRows = 0;
  hung = 0;
  unhandled = 0;
  /** Timeouts of tenants' requests that a stall of the machine excuses. */
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
      `${this.pipelined} transactions ran pipelined, ${this.bypassed} ran again on their own connection`,
      `requests by kind:\n${this.kinds}`,
      `requests by outcome:\n${this.outcomes}`,
      `faults by kind:\n${this.faults}`,
      `requests by fault scenario:\n${this.faultScenarios}`,
      `foreign rows ${this.foreignRows}, dirty connections ${this.dirtyConnections}, hung ${this.hung}, unhandled errors ${this.unhandled}, failures ${this.failures.length}, longest stall of the machine ${Math.round(this.longestStall)} ms, timeouts excused by stalls ${this.excused}`,
      ...this.failures.map((failure) => describeFailure(failure, this.seed)),
    ].join('\n');
  }
}

export function describeFailure({ what, request, scenario, who, sent, received }: Failure, seed: number): string {
  return `FAILED in request ${request} of seed ${seed} (${scenario}), ${who}: ${what}\n  sent: ${sent}\n  received: ${received}`;
}
