import type { About, Api } from './api.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import type { Statement } from './statements.ts';

/** An error is something that tenants could suffer from; a warning is worth a look. */
export type Level = 'error' | 'warning';

interface Described {
  readonly level: Level;
  /**
   * On a database that is not Hedgerow's: its level there, or why the rule cannot judge it. By default as on Hedgerow's. What
   * only departs from a convention of Hedgerow is a warning at most.
   */
  readonly elsewhere?: Level | { readonly notJudged: string };
  /** What the rule finds, in a few words. */
  readonly title: string;
}

/**
 * A rule about the schema: rows of `query` are findings. It runs read-only, with nothing but pg_catalog in search_path,
 * as a role that may read the catalogs and no more (pg_authid is not among them).
 *
 * `object` names one thing, as a person names and suppresses it: `app_public.notes` (`oid::regclass::text`),
 * `app_public.notes.user_id`, `policy select_own on app_public.notes`, `function app_public.f(uuid)`. `detail` is a
 * sentence about it, or null where the title says all.
 */
export interface CatalogRule extends Described {
  readonly query: string;
}

/** A rule about the text of a migration, which is inspected file by file. */
export interface TextRule extends Described {
  /** @param settings what `.gmrc` sets for every migration. */
  inspect(
    statements: readonly Statement[],
    settings: Readonly<Record<string, string>>,
  ): readonly { readonly statement: Statement; readonly detail: string }[];
}

/** A rule about a policy that binds tenants. It sees the tree that Postgres keeps of it, and not its text. */
export interface PolicyRule extends Described {
  /** A sentence where the rule finds something, with a level where that is not the rule's. */
  judge(policy: Policy, facts: PolicyFacts): string | { readonly detail: string; readonly level: Level } | undefined;
}

/** A rule about the API that the server would build from the schema. */
export interface ApiRule extends Described {
  ofApi(api: Api): readonly About[];
}

export type Rule = CatalogRule | PolicyRule | TextRule | ApiRule;

/** A rule, by the name of its file. */
export type Named<Kind extends Rule> = Kind & { readonly name: string };

export interface Finding {
  readonly rule: string;
  readonly level: Level;
  readonly object: string;
  readonly detail: string;
  /** Where the object is made, relative to the checkout; the line counts from 1. */
  readonly file?: string;
  readonly line?: number;
  /** The page that says why and how to fix it; rules of squawk have an address. */
  readonly page: string;
}
