import type { Operation } from '../attempt.ts';

/** The identity and role that run an attack. */
export interface Actor {
  /** A name for display: `B`, `a session without a tenant (the setting is empty)`. */
  readonly name: string;
  /** The tenant's id. Empty means an empty setting; null does not change the setting. */
  readonly identity: string | null;
  /** The whole value of the setting; replaces the value derived from `identity`. */
  readonly settingValue?: string;
  /** Values of other settings, in place of those in the scope's `set`. */
  readonly set?: Readonly<Record<string, string>>;
  /** Replaces the tenants' role: a role that the login role can assume, the login role, or a table's owner. */
  readonly role?: string;
}

/** A named attack. It runs once with A's rows present and once with A's rows deleted. */
export interface SqlAttack {
  readonly table: string;
  readonly attack: string;
  readonly operation: Operation;
  readonly actor: Actor;
  readonly statements: readonly string[];
  /** Statements that run first and bypass row-level security. They delete B's rows that would hide effects on A's. */
  readonly prepare?: readonly string[];
  /** Set if success alone is a leak: the reason. */
  readonly mustFail?: string;
  /** The actor acts for A's own tenant, so that its answers may depend on A's rows. Only changes of A's rows count. */
  readonly isOfA?: true;
  /**
   * The first statement whose rows count. Only values of A's rows in them are a leak, because other differences may come
   * from random keys of B's new rows.
   */
  readonly seenFrom?: number;
  /** The preparation writes rows of A, so that the attack is not judged by changes of them. */
  readonly preparesA?: true;
  /** Set if it must neither return nor write a row: the reason. */
  readonly mustFindNothing?: string;
  /** The two statements are EXPLAINs, for A's value and for an unused value. Both must estimate the same row count. */
  readonly arePlans?: true;
  /** Runs without triggers and foreign keys, if the role may disable them. */
  readonly withoutTriggers?: true;
  /** The expected row of the last statement: the role and the setting. A different row means that they changed. */
  readonly stays?: readonly string[];
}

/** The result of one statement: the command, its row count, and its rows as text. */
export interface StatementResult {
  readonly command: string;
  readonly count: number | null;
  readonly rows: readonly (readonly (string | null)[])[];
}

/** The answer to one run of an attack. */
export interface SqlAnswer {
  readonly code?: string;
  readonly message?: string;
  /** `table.constraint` or, for a NOT NULL violation, `table.column`, if the error names one. */
  readonly refusedBy?: string;
  /** The error's DETAIL and CONTEXT, which name the running functions. */
  readonly context?: string;
  readonly results: readonly StatementResult[];
  /** Changes of A's rows, one sentence each. */
  readonly harm: readonly string[];
  /** B's changed rows, as JSON. */
  readonly own: readonly string[];
}

/** Summarizes an answer. */
export function describe({ code, message, results }: SqlAnswer): string {
  if (code !== undefined) return `error ${code}: ${message}`;
  return results
    .filter(({ command }) => !['SET', 'SAVEPOINT'].includes(command))
    .map(({ command, count, rows }) =>
      rows.length > 0
        ? `${rows.length} row${rows.length === 1 ? '' : 's'}: ${rows.map((row) => `(${row.map((value) => value ?? 'null').join(', ')})`).join(' ')}`
        : `${command} ${count ?? ''}`.trim(),
    )
    .join('; ');
}
