import { UsageError } from '../../common/usageError.ts';
import { isAlive } from '../../postgres/embedded/lock.ts';
import { machine } from '../../postgres/target/scratch.ts';

/** A copy of the database, made to be changed and thrown away. */
export interface Branch {
  readonly name: string;
  /** The database or branch that it is a copy of. */
  readonly of: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** The creator, if known. */
  readonly by: string | undefined;
  /** The size, if known. */
  readonly bytes: number | undefined;
}

/** The connection strings of a branch, with passwords. */
export interface BranchUrls {
  /** Direct connection of hedgerow_owner. */
  readonly owner: string;
  /** Connection of hedgerow_authenticator, possibly through a pooler; undefined if unknown. */
  readonly authenticator: string | undefined;
  /** Direct connection of hedgerow_authenticator; undefined if unknown. */
  readonly listen: string | undefined;
  /** Direct connection of the admin; undefined if unknown. */
  readonly admin: string | undefined;
}

/** Options of operations that need a database without other connections, such as a copy or a rename. */
export interface Exclusive {
  /** Terminate other connections. Otherwise the operation fails if there are any. */
  readonly disconnect?: boolean;
}

/** Manages the branches of a target. All methods throw UsageError for problems that the user can fix. */
export interface Branches {
  /** The name of the copied database, for messages. */
  readonly parent: string;
  create(name: string, exclusive?: Exclusive): Promise<Branch>;
  list(): Promise<Branch[]>;
  urls(name: string): Promise<BranchUrls>;
  /** Replaces the branch with a new copy of its source. */
  reset(name: string, exclusive?: Exclusive): Promise<void>;
  drop(name: string, exclusive?: Exclusive): Promise<void>;
  /**
   * Puts the branch in the place of the database. The connection strings stay the same.
   *
   * @returns the name of the branch that keeps the replaced database.
   */
  promote(name: string, exclusive?: Exclusive): Promise<string>;
}

/** @throws UsageError if `name` is not a valid branch name. */
export function checkName(name: string): void {
  if (/^[a-z][a-z0-9-]{0,29}$/.test(name)) return;
  throw new UsageError(
    `${JSON.stringify(name)} is not a valid branch name. Use up to 30 lower-case letters, digits and hyphens, starting with a letter.`,
  );
}

/**
 * Returns a branch name for a database that a promoted branch replaces. These names sort by time.
 *
 * @param taken names of existing branches, which the result must not equal.
 * @param now the time in the name, in milliseconds since the epoch.
 */
export function keptName(taken: readonly string[], now = Date.now()): string {
  const name = `before-${new Date(now).toISOString().replace(/\D/g, '').slice(0, 14)}`;
  return taken.includes(name) ? keptName(taken, now + 1000) : name;
}

/** Returns the name of a branch that only this process uses. */
export function temporaryName(kind: 'rehearsal' | 'restore'): string {
  return `${kind}-${machine}-${process.pid}`;
}

/** Drops temporary branches of this machine whose processes no longer run. */
export async function dropAbandoned(branches: Branches, kind: 'rehearsal' | 'restore'): Promise<void> {
  for (const { name } of await branches.list()) {
    const [, of, where, pid] = /^([a-z]+)-([0-9a-f]{8})-(\d+)$/.exec(name) ?? [];
    if (of !== kind || where !== machine || isAlive(Number(pid))) continue;
    console.error(`Dropping branch ${name}: its ${kind} was interrupted`);
    await branches.drop(name, { disconnect: true });
  }
}
