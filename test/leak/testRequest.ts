import type { Answer, Body } from '../../isolation/http/post.ts';
import type { TestDatabase } from '../support/database.ts';
import type { Outcome } from './expectedRows.ts';
import type { Random } from './random.ts';
import type { Tenant } from './tenant.ts';

/** The means of a fault scenario during a round, and its counter. */
export interface FaultInjection {
  readonly db: TestDatabase;
  readonly random: Random;
  roundIsOver(): boolean;
  count(fault: string, times?: number): void;
}

/** One request, and what must come of it. */
export interface TestRequest {
  readonly kind: string;
  readonly payload: Buffer;
  /** It provokes a fault, and these are the codes that say so. Without them it must be answered with data. */
  readonly codes?: readonly string[] | undefined;
  /** It may also be answered with data, although it has `codes`. */
  readonly maySucceed?: boolean;
  /** What it provokes is there even where it is answered with data. */
  readonly faultWithData?: boolean;
  /** What is wrong with the data; undefined: nothing. */
  check?(data: Body['data']): string | undefined;
  /** The same where it has failed as it should. */
  checkFailed?(data: Body['data']): string | undefined;
  /** Enters what became of it into the ledger. The answer is there unless the client went or the server was lost. */
  settle?(outcome: Outcome, answer: Answer | undefined): void;
  /** Sets the scene, and what is returned clears it away after the answer. */
  before?(): Promise<() => Promise<void>>;
}

/** What works are made from. */
export interface RequestInputs {
  readonly random: Random;
  readonly tenant: Tenant;
  readonly others: readonly Tenant[];
  /** A number that no other request has. */
  readonly number: number;
  /** A new row id of this tenant. */
  newId(): string;
}

export function payload(query: string, variables: Record<string, unknown> = {}): Buffer {
  return Buffer.from(JSON.stringify({ query, variables }));
}

export function newTitle({ tenant, number }: RequestInputs): string {
  return `${tenant.name} wrote this in request ${number}`;
}
