import type { ApiName, AttackName } from './attacks.ts';

/** Requests that a client process repeats, each on the first free connection. */
export interface Job {
  readonly port: number;
  readonly connections: number;
  readonly source: FixedRequest | AttackRequests;
}

interface FixedRequest {
  readonly request: string;
}

export interface AttackRequests {
  readonly attack: AttackName;
  readonly api: ApiName;
  /** Access tokens of the flooding tenants, who take turns. */
  readonly tokens: readonly string[];
  /** The size of the first request. */
  readonly size: number;
}

export interface JobResult {
  /**
   * Milliseconds from a request to the end of its answer, ascending. A request without an answer counts until the end.
   */
  readonly latencies: Float64Array;
  /** Number of answers by kind: `ok`, a GraphQL error code, an HTTP status, `closed`, `no connection`, `no answer`. */
  readonly answers: Readonly<Record<string, number>>;
  readonly bytes: number;
  /** The size of the next request, which approaches the largest that the server accepts. */
  readonly size: number;
  /** The first answer of each kind other than `ok`. */
  readonly samples: Readonly<Record<string, string>>;
}
