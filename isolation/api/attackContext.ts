import type { Attempt } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { ApiActor, Client } from './client.ts';
import type { Holdings, Row } from './rows.ts';
import type { Api, RootField } from './schema.ts';

/** Detects and undoes changes of the tenants' rows, by reading the tables or the API. */
export interface Watch {
  /** Describes the changes of the actor's rows since the initial state; `undefined` if there are none. */
  changeOf(actor: ApiActor): Promise<string | undefined>;
  /** Deletes the actor's row if a tenant can have only one row of this type, so that an insert can succeed. */
  makeRoom(actor: ApiActor, type: string | undefined): Promise<void>;
  /** Restores the initial state after a change. */
  restore(): Promise<void>;
}

/** The API to attack, the tenants, and the values of their rows. */
export interface AttackContext {
  readonly client: Client;
  readonly api: Api;
  /** The victim. */
  readonly a: ApiActor;
  /** The attacker. */
  readonly b: ApiActor;
  /** An attacker without rows. */
  readonly empty: ApiActor;
  /** The rows that A reads. */
  readonly ofA: Holdings;
  /** The rows that B reads. */
  readonly ofB: Holdings;
  /** The rows that the tenant without rows reads, such as its account. */
  readonly ofEmpty: Holdings;
  /** Rows that A could insert, by type. New rows take their values from them. */
  readonly sampleRows: ReadonlyMap<string, readonly Row[]>;
  readonly watch: Watch;
  /** Values that only A's rows contain, with their names for display. */
  readonly canaries: ReadonlyMap<string, string>;
  /** Every value that A or B has, as JSON. */
  readonly usedValues: ReadonlySet<string>;
  /** Values that only A has in a field, as `name:JSON`. */
  readonly onlyA: ReadonlySet<string>;
  /** All values of B's rows, as text. B may see these. */
  readonly ownValues: ReadonlySet<string>;
  /** The name of the table from which the API reads a type. */
  tableOf(type: string | undefined): string;
  /** The function that a field calls, as `schema.name(types)`. */
  routineOf(field: string): string | undefined;
  /** Explains from the catalog and the answer to A why a field works for no one; `undefined` if it cannot. */
  explain(root: RootField, answer: Answer | undefined, table: string): Promise<string | undefined>;
  report(attempt: Attempt): void;
  /** Records a server failure, once per field. It is not a leak, but the run proves nothing. */
  failed(what: string, field?: string): void;
}

/** Whether only A has `value` in the field `name`. */
export function isOnlyA({ canaries, onlyA }: AttackContext, name: string, value: unknown): boolean {
  return (typeof value === 'string' && canaries.has(value)) || onlyA.has(`${name}:${JSON.stringify(value)}`);
}

/** The values of all fields, as `name:JSON`. */
export function fieldsOf({ rows }: Holdings): Set<string> {
  const all = [...rows.values()].flat().flatMap((row) => Object.entries(row));
  return new Set(all.map(([name, value]) => `${name}:${JSON.stringify(value)}`));
}

/** Every value, with a name for display: `title of a Todo`. */
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
