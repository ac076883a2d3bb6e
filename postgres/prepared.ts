import type pg from 'pg';
import { serialize } from './internals/nodePostgres.ts';
import type { Column } from './result.ts';
import type { Statement } from './statement.ts';

/**
 * The maximum of prepared statements per connection, and of characters of their SQL. Postgres keeps memory for their plans
 * too. Beyond the maximum, the connection closes the least recently used statements.
 */
const maxKept = { statements: 100, characters: 300_000 } as const;

/** A statement that a connection keeps prepared. */
export interface Prepared {
  /** Undefined if it is unknown whether the statement is prepared, for example after an error. */
  text: string | undefined;
  /** The columns of its rows. Postgres never changes them while the statement stays prepared. */
  columns: readonly Column[] | undefined;
}

const keptBy = new WeakMap<object, PreparedStatements>();

/** Incremented when statements become stale. A migration makes them stale on every connection of the process. */
let generation = 0;

/**
 * The prepared statements of one connection. Each of them is
 *
 * - _known_: `text` is what the server has prepared under this name;
 * - _unknown_: an error or a new generation made it uncertain. Its next use closes it and prepares it again.
 *
 * The least recently used statements leave the cache first.
 */
export class PreparedStatements {
  /** By name, the least recently used first. */
  readonly #kept = new Map<string, Prepared>();
  #generation = generation;
  #characters = 0;

  /** Returns the prepared statements of one connection. */
  static of(connection: object): PreparedStatements {
    const kept = keptBy.get(connection) ?? new PreparedStatements();
    keptBy.set(connection, kept);
    return kept;
  }

  get(name: string): Prepared | undefined {
    return this.#kept.get(name);
  }

  /**
   * Marks the named ones of `statements` as prepared.
   *
   * @param messages receives Close messages for other statements. They go first, where no earlier message can have failed.
   * @returns the names that the caller has to prepare.
   */
  keep(statements: readonly Statement[], messages: Buffer[]): Set<string> {
    const kept = this.#kept;
    if (this.#generation !== generation) {
      this.#generation = generation;
      for (const name of kept.keys()) this.forget(name);
    }
    const toParse = new Set<string>();
    const toClose = new Set<string>();
    for (const { name, text } of statements) {
      if (!name) continue;
      const known = kept.get(name);
      // Postgres accepts closing a name that does not exist. It rejects preparing a name that exists.
      if (kept.delete(name) && known?.text !== text) toClose.add(name);
      if (known?.text !== text) toParse.add(name);
      kept.set(name, known?.text === text ? known : { text, columns: undefined });
      if (known?.text !== text) this.#characters += text.length - (known?.text?.length ?? 0);
    }
    const needed = new Set(statements.map(({ name }) => name));
    for (const [oldest, { text }] of kept) {
      if (kept.size <= maxKept.statements && this.#characters <= maxKept.characters) break;
      if (needed.has(oldest)) continue;
      kept.delete(oldest);
      this.#characters -= text?.length ?? 0;
      toClose.add(oldest);
    }
    for (const name of toClose) messages.push(serialize.close({ type: 'S', name }));
    return toParse;
  }

  /**
   * Has every connection prepare its statements again at their next use, because one statement was stale. So a migration
   * fails one statement, and not each statement once on each connection.
   */
  markAllStale(): void {
    // A batch from before the current generation brings no news.
    if (this.#generation === generation) generation++;
  }

  /** Marks a statement as unknown, so that its next use closes it and prepares it again. */
  forget(name: string): void {
    const known = this.#kept.get(name);
    if (!known) return;
    this.#characters -= known.text?.length ?? 0;
    this.#kept.set(name, { text: undefined, columns: undefined });
  }
}

/**
 * Whether a statement failed without any effect because the prepared statements of the session are not the expected ones:
 *
 * - A migration has changed the columns of its rows. The Postgres function that raised the error identifies this case,
 *   because its SQLSTATE is less specific.
 * - The statement does not exist or exists already: something has deallocated it, or a pooler has changed the session.
 */
export function isStale(error: unknown): boolean {
  const { routine, code } = error as pg.DatabaseError;
  return routine === 'RevalidateCachedQuery' || code === '26000' || isForeignSession(error);
}

/** Whether another client has used this session: the name is prepared already, but not by this connection. */
export function isForeignSession(error: unknown): boolean {
  return (error as pg.DatabaseError).code === '42P05';
}
