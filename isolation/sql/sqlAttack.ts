import type { Operation } from '../attempt.ts';

/** In whose place an attack is made. */
export interface Actor {
  /** For people: `B`, `nobody (empty setting)`. */
  readonly name: string;
  /** The tenant's id; empty for an empty setting, null to leave the setting as it is. */
  readonly identity: string | null;
  /** The whole value of the setting, instead of the one that names the identity. */
  readonly settingValue?: string;
  /** Instead of the tenants' role: one that the login role may become, the login role itself, or a table's owner. */
  readonly role?: string;
}

/** Statements, and what they are called. They are run with A's rows there, and again in a world without A. */
export interface SqlAttack {
  readonly table: string;
  readonly attack: string;
  readonly operation: Operation;
  readonly actor: Actor;
  readonly statements: readonly string[];
  /** Run before, past row-level security: B's own rows made fewer, so that they do not hide what happens to A's. */
  readonly prepare?: readonly string[];
  /** Why it is a leak by itself where the statements succeed. */
  readonly mustFail?: string;
  /** The two statements are plans, of A's value and of nobody's, and expect as many rows. */
  readonly arePlans?: true;
  /** Runs without triggers and foreign keys, where the role may do that. */
  readonly withoutTriggers?: true;
  /** What the last statement answers, in a row, unless role or setting were changed. */
  readonly stays?: readonly string[];
}

/** What one statement answered: the command's count, and its rows as text. */
export interface StatementResult {
  readonly command: string;
  readonly count: number | null;
  readonly rows: readonly (readonly (string | null)[])[];
}

/** What came of an attack in one world. */
export interface SqlAnswer {
  readonly code?: string;
  readonly message?: string;
  /** The constraint or the column that is not null, with its table, where the error names one. */
  readonly refusedBy?: string;
  /** The functions that were running when an error was raised, and what else Postgres says of its place. */
  readonly context?: string;
  readonly results: readonly StatementResult[];
  /** What happened to A's rows, a sentence each. */
  readonly harm: readonly string[];
  /** What B's rows became where they changed, as JSON of the row. */
  readonly own: readonly string[];
}

/** An answer in a few words. */
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
