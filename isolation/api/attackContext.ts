import type { Attempt } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { Client, Member } from './client.ts';
import type { Holdings, Row } from './rows.ts';
import type { Api, RootField } from './schema.ts';

/** Something of A's has changed, as A reads it or as the tables have it. */
export interface Watch {
  /** What has changed of the member's since the beginning, in words. */
  changeOf(member: Member): Promise<string | undefined>;
  /** Takes the member's rows away where a tenant can have but one: a new one has room then. */
  makeRoom(member: Member, type: string | undefined): Promise<void>;
  /** Back to the beginning, where anything has changed. */
  restore(): Promise<void>;
}

/** What is attacked, by whom, and what is known of it. */
export interface AttackContext {
  readonly client: Client;
  readonly api: Api;
  /** Whose rows are attacked, who attacks, and who attacks without a row of their own. */
  readonly a: Member;
  readonly b: Member;
  readonly empty: Member;
  /** What A and B read of their own. */
  readonly ofA: Holdings;
  readonly ofB: Holdings;
  readonly ofEmpty: Holdings;
  /** Rows that A could make besides: what new rows can be made of. */
  readonly sampleRows: ReadonlyMap<string, readonly Row[]>;
  readonly watch: Watch;
  /** Values of A's that can only be A's, and where they stand. */
  readonly canaries: ReadonlyMap<string, string>;
  /** Every value that A or B has, as JSON. */
  readonly taken: ReadonlySet<string>;
  /** Values that A has in a field and nobody else has in it: `name:JSON`. */
  readonly onlyA: ReadonlySet<string>;
  /** Every text that B may be shown. */
  readonly own: ReadonlySet<string>;
  /** The table that a type of the API is read from. */
  tableOf(type: string | undefined): string;
  /** The function that a field calls, `schema.name(types)`. */
  routineOf(field: string): string | undefined;
  /** Why a field works for nobody, where the catalog says so, given what A was answered. */
  explain(root: RootField, answer: Answer | undefined, table: string): Promise<string | undefined>;
  report(attempt: Attempt): void;
  /** The server failed: no leak, and no proof. Of each field it is told once. */
  failed(what: string, field?: string): void;
}

/** Whether `value`, as a value of `name`, can only mean something of A's. */
export function isOnlyA({ canaries, onlyA }: AttackContext, name: string, value: unknown): boolean {
  return (typeof value === 'string' && canaries.has(value)) || onlyA.has(`${name}:${JSON.stringify(value)}`);
}

/** What stands in which field of `holdings`: `name:JSON`. */
export function fieldsOf({ rows }: Holdings): Set<string> {
  const all = [...rows.values()].flat().flatMap((row) => Object.entries(row));
  return new Set(all.map(([name, value]) => `${name}:${JSON.stringify(value)}`));
}

/** Every value in `holdings`, with a name for each: `title of a Todo`. */
export function* valuesOf({ rows }: Holdings): Generator<[value: unknown, name: string]> {
  for (const [type, found] of rows) {
    for (const row of found)
      for (const [field, value] of Object.entries(row)) yield* flatten(value, `${field} of a ${type}`);
  }
}

function* flatten(value: unknown, name: string): Generator<[unknown, string]> {
  if (Array.isArray(value)) for (const item of value) yield* flatten(item, name);
  else if (typeof value === 'object' && value !== null)
    for (const item of Object.values(value)) yield* flatten(item, name);
  else if (value !== null && value !== undefined) yield [value, name];
}
