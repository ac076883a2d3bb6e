import { UsageError } from '../../common/usageError.ts';

/** A copy of the database, made to be changed and thrown away. */
export interface Branch {
  readonly name: string;
  /** The database or the branch that it was copied from. */
  readonly of: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Who made it, where that is known. */
  readonly by: string | undefined;
  /** Its size, where that is known. */
  readonly bytes: number | undefined;
}

/** The connection strings of a branch, with passwords. */
export interface BranchUrls {
  /** As hedgerow_owner, directly. */
  readonly owner: string;
  /** As hedgerow_authenticator, perhaps through a pooler; where it is known. */
  readonly authenticator: string | undefined;
  /** As hedgerow_authenticator, directly; where it is known. */
  readonly listen: string | undefined;
  /** As the admin, directly; where it is known. */
  readonly admin: string | undefined;
}

/** What a copy and a rename need. */
export interface Exclusive {
  /** End the connections of others instead of refusing because of them. */
  readonly disconnect?: boolean;
}

/** Where branches of the target are made. All throw UsageError for what their user can mend. */
export interface Branches {
  /** What branches are made of, as a person calls it. */
  readonly parent: string;
  create(name: string, exclusive?: Exclusive): Promise<Branch>;
  list(): Promise<Branch[]>;
  urls(name: string): Promise<BranchUrls>;
  /** Makes the branch again from what it is a copy of. */
  reset(name: string, exclusive?: Exclusive): Promise<void>;
  drop(name: string, exclusive?: Exclusive): Promise<void>;
  /**
   * Makes the branch the database, behind the same connection strings.
   *
   * @returns the branch that the database is from now on.
   */
  promote(name: string, exclusive?: Exclusive): Promise<string>;
}

/** @throws UsageError for what is no name of a branch. */
export function checkName(name: string): void {
  if (/^[a-z][a-z0-9-]{0,29}$/.test(name)) return;
  throw new UsageError(
    `${JSON.stringify(name)} cannot be a branch's name: up to 30 lower-case letters, digits and hyphens, a letter first.`,
  );
}

/**
 * What the database is called once a branch has taken its place; sorts by time.
 *
 * @param taken names of branches, none of which it becomes.
 */
export function keptName(taken: readonly string[], now = Date.now()): string {
  const name = `before-${new Date(now).toISOString().replace(/\D/g, '').slice(0, 14)}`;
  return taken.includes(name) ? keptName(taken, now + 1000) : name;
}
