import type pg from 'pg';
import { serialize } from 'pg-protocol';
import type { Column } from './result.ts';
import type { Statement } from './statement.ts';

/**
 * Statements that each connection keeps prepared, and characters of their SQL: Postgres keeps plans of them, too. Beyond
 * it those that were not used for longest are closed.
 */
const limits = { statements: 100, characters: 300_000 } as const;

/** A statement that a connection keeps. */
export interface Prepared {
  /** Undefined where an error left open whether it was prepared. */
  text: string | undefined;
  /** What its rows are like: Postgres never changes that for as long as the statement stays prepared. */
  columns: readonly Column[] | undefined;
}

const keptBy = new WeakMap<object, PreparedStatements>();

/** Counts the times that statements became stale: a migration makes them stale on every connection of the process. */
let generation = 0;

/** What a connection keeps prepared. */
export class PreparedStatements {
  /** By name, the one that was not used for longest first. */
  readonly #kept = new Map<string, Prepared>();
  #generation = generation;
  #characters = 0;

  /** Those of one connection. */
  static of(connection: object): PreparedStatements {
    const kept = keptBy.get(connection) ?? new PreparedStatements();
    keptBy.set(connection, kept);
    return kept;
  }

  get(name: string): Prepared | undefined {
    return this.#kept.get(name);
  }

  /**
   * Keeps `statements`, as far as they have names.
   *
   * @param messages receives what closes others: ahead of all else, where nothing can have failed.
   * @returns the names that have yet to be prepared.
   */
  keep(statements: readonly Statement[], messages: Buffer[]): Set<string> {
    const kept = this.#kept;
    if (this.#generation !== generation) {
      this.#generation = generation;
      for (const name of kept.keys()) this.doubt(name);
    }
    const toParse = new Set<string>();
    const toClose = new Set<string>();
    for (const { name, text } of statements) {
      if (!name) continue;
      const known = kept.get(name);
      // Closing what does not exist is no error; preparing what exists is one.
      if (kept.delete(name) && known?.text !== text) toClose.add(name);
      if (known?.text !== text) toParse.add(name);
      kept.set(name, known?.text === text ? known : { text, columns: undefined });
      if (known?.text !== text) this.#characters += text.length - (known?.text?.length ?? 0);
    }
    const asked = new Set(statements.map(({ name }) => name));
    for (const [oldest, { text }] of kept) {
      if (kept.size <= limits.statements && this.#characters <= limits.characters) break;
      // They are to be used right away.
      if (asked.has(oldest)) continue;
      kept.delete(oldest);
      this.#characters -= text?.length ?? 0;
      toClose.add(oldest);
    }
    for (const name of toClose) messages.push(serialize.close({ type: 'S', name }));
    return toParse;
  }

  /**
   * A statement was stale: every connection prepares its statements again when they are next used. So a migration fails one
   * statement, and not each statement once on each connection.
   */
  becameStale(): void {
    // A batch that was sent before the others knew is no news.
    if (this.#generation === generation) generation++;
  }

  /** Whether this one is prepared is not known any more: it will be closed and prepared again. */
  doubt(name: string): void {
    const known = this.#kept.get(name);
    if (!known) return;
    this.#characters -= known.text?.length ?? 0;
    this.#kept.set(name, { text: undefined, columns: undefined });
  }
}

/**
 * Whether a statement failed, before it did anything, because what the connection keeps prepared is not what was assumed. A
 * migration has changed the columns of its rows, which is told by where in Postgres the error is, because its SQLSTATE says
 * less. Or it does not exist, or exists already, because somebody has deallocated it or a pooler has changed the session.
 */
export function isStale(error: unknown): boolean {
  const { routine, code } = error as pg.DatabaseError;
  return routine === 'RevalidateCachedQuery' || code === '26000' || isForeignSession(error);
}

/** SQLSTATE of a name that is prepared already: connections count their names, so another client has prepared it. */
export function isForeignSession(error: unknown): boolean {
  return (error as pg.DatabaseError).code === '42P05';
}
