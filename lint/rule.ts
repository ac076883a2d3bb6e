import type { About, Api } from './api.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import type { Statement } from './statements.ts';

/** An error can harm tenants. A warning deserves a review. */
export type Severity = 'error' | 'warning';

interface Described {
  readonly level: Severity;
  /**
   * The severity on a database that is not Hedgerow's, or the reason why the rule does not apply there. The default is
   * `level`. A mere deviation from a convention of Hedgerow is at most a warning.
   */
  readonly elsewhere?: Severity | { readonly notJudged: string };
  /** The problem, its effect on tenants and, if it is the same for every finding, the fix. */
  readonly title: string;
}

/**
 * A rule about the schema. Each row of `query` is a finding. The query runs read-only, with only pg_catalog in
 * search_path, as a role that may read the catalogs and nothing else (not even pg_authid).
 *
 * The column `object` names one object as people name and suppress it: `app_public.notes` (`oid::regclass::text`),
 * `app_public.notes.user_id`, `policy select_own on app_public.notes`, `function app_public.f(uuid)`. The column
 * `detail` describes the problem, or is null if the title says everything.
 */
export interface CatalogRule extends Described {
  readonly query: string;
}

/** A rule about the text of migrations. The linter inspects one file at a time. */
export interface TextRule extends Described {
  /** @param settings the Postgres settings that `.gmrc` applies to every migration. */
  inspect(
    statements: readonly Statement[],
    settings: Readonly<Record<string, string>>,
  ): readonly { readonly statement: Statement; readonly detail: string }[];
}

/** A rule about policies that apply to tenants. It reads the parse tree that Postgres stores, not the text. */
export interface PolicyRule extends Described {
  /** Describes the problem, with a severity if it differs from the rule's. Returns undefined if there is none. */
  judge(policy: Policy, facts: PolicyFacts): string | { readonly detail: string; readonly level: Severity } | undefined;
}

/** A rule about the comments of tables. */
export interface CommentRule extends Described {
  ofComments(facts: PolicyFacts): readonly { readonly object: string; readonly detail: string }[];
}

/** A rule about the API that the server builds from the schema. */
export interface ApiRule extends Described {
  ofApi(api: Api): readonly About[];
}

export type Rule = CatalogRule | PolicyRule | CommentRule | TextRule | ApiRule;

/** A rule with its name, which is the name of its file. */
export type Named<Kind extends Rule> = Kind & { readonly name: string };

export interface Finding {
  readonly rule: string;
  readonly level: Severity;
  readonly object: string;
  readonly detail: string;
  /** Identifies the expressions of the policy that the finding is about. A suppression names it. */
  readonly fingerprint?: string | undefined;
  /** The file that creates the object, relative to the checkout. */
  readonly file?: string;
  /** The line of that statement, counted from 1. */
  readonly line?: number;
  /** The page that explains the rule and its fix: a path in the checkout, or a URL for rules of squawk. */
  readonly page: string;
}
