import type { Answer, Body } from '../../isolation/http/post.ts';
import type { TestDatabase } from '../support/database.ts';
import type { Outcome } from './expectedRows.ts';
import type { Random } from './random.ts';
import type { Tenant } from './tenant.ts';

/** Tools of a fault scenario during a round. */
export interface FaultInjection {
  readonly db: TestDatabase;
  readonly random: Random;
  roundIsOver(): boolean;
  /** Counts an injected fault. */
  count(fault: string, times?: number): void;
}

/** One request and its expected answer. */
export interface TestRequest {
  readonly kind: string;
  readonly payload: Buffer;
  /** Error codes of the fault that the request provokes. Without them, the answer must have data. */
  readonly codes?: readonly string[] | undefined;
  /** Whether data is a valid answer in spite of `codes`. */
  readonly maySucceed?: boolean;
  /** Whether an answer with data also counts as the fault. */
  readonly faultWithData?: boolean;
  /** Checks the data of a successful answer. @returns a problem, or undefined. */
  check?(data: Body['data']): string | undefined;
  /** Checks the data of an answer that failed as expected. */
  checkFailed?(data: Body['data']): string | undefined;
  /** Records the outcome in the expected rows. `answer` is undefined if the client aborted or the connection broke. */
  settle?(outcome: Outcome, answer: Answer | undefined): void;
  /** Prepares the fault. The returned function cleans up after the answer. */
  before?(): Promise<() => Promise<void>>;
}

/** Inputs from which a test request is built. */
export interface RequestInputs {
  readonly random: Random;
  readonly tenant: Tenant;
  readonly others: readonly Tenant[];
  /** A number unique to the request. */
  readonly number: number;
  /** Creates a row id that belongs to the tenant. */
  newId(): string;
}

export function payload(query: string, variables: Record<string, unknown> = {}): Buffer {
  return Buffer.from(JSON.stringify({ query, variables }));
}

/** Returns a title that names the tenant and the request. */
export function newTitle({ tenant, number }: RequestInputs): string {
  return `${tenant.name} wrote this in request ${number}`;
}
