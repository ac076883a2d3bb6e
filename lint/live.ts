import pg from 'pg';
import { isUnavailable } from '../postgres/connectionErrors.ts';
import { inspectRule } from './catalog.ts';
import { setJudgedScope } from './judgedScope.ts';
import { readPolicies } from './readPolicies.ts';
import type { Finding, Named, Rule } from './rule.ts';
import { isPolicyRule, isTextRule, readRules } from './rules.ts';
import { hedgerow, setScope } from './scope.ts';
import { readSources } from './sources.ts';
import { applySuppressions, readSuppressions } from './suppressions.ts';

/** Runs one query in the catalog transaction. */
type CatalogQuery = <Row>(text: string, values?: unknown[]) => Promise<{ rows: Row[] }>;

/** Runs `work` in one read-only transaction, as a role with USAGE on app_public. */
export type InCatalogTransaction = <T>(work: (query: CatalogQuery) => Promise<T>) => Promise<T>;

export interface LiveReport {
  /** Errors in the schema that no suppression in the migrations allows. */
  readonly findings: readonly Finding[];
  /** Rules that failed, and the reason. `timedOut` means that a later retry can succeed. */
  readonly unchecked: readonly { readonly rule: string; readonly reason: string; readonly timedOut: boolean }[];
  /** Names of all rules. */
  readonly rules: readonly string[];
}

/** Postgres rejected the query of a rule. */
class RuleFailedError extends Error {
  readonly rules: readonly string[];
  constructor(rules: readonly string[], cause: pg.DatabaseError) {
    super(cause.message, { cause });
    this.rules = rules;
  }
}

/** SQLSTATEs of a statement timeout and of a lock timeout. */
const timeouts: readonly unknown[] = ['57014', '55P03'];

/**
 * Loads the rules. Loading takes longer than applying them, so callers can do it while they connect to the database.
 */
export async function loadLiveLinter(): Promise<(inTransaction: InCatalogTransaction) => Promise<LiveReport>> {
  const rules = await readRules();
  return (inTransaction) => inspectLive(rules, inTransaction);
}

/**
 * Applies the rules of severity `error` to a live schema, except those about the text of migrations. Suppressions in
 * the migrations count as in `npm run db -- lint`.
 *
 * @throws the error of the connection if the database is unavailable.
 */
async function inspectLive(rules: readonly Named<Rule>[], inTransaction: InCatalogTransaction): Promise<LiveReport> {
  let remaining = rules.filter((rule) => rule.level === 'error' && !isTextRule(rule));
  const unchecked: LiveReport['unchecked'][number][] = [];
  for (;;) {
    try {
      const found = await inTransaction((query) => inspect(query, remaining));
      const names = rules.map(({ name }) => name);
      // Without findings, which is the usual case, the start does not have to read the migrations.
      const findings = found.length === 0 ? [] : await withoutSuppressed(found, names);
      return { findings, unchecked, rules: names };
    } catch (error) {
      if (!(error instanceof RuleFailedError)) throw error;
      // The failed query aborted its transaction. Apply the other rules in a new one.
      const { rules: failed, message, cause } = error;
      const timedOut = timeouts.includes((cause as pg.DatabaseError).code);
      unchecked.push(...failed.map((rule) => ({ rule, reason: message, timedOut })));
      remaining = remaining.filter(({ name }) => !failed.includes(name));
    }
  }
}

/** Removes the findings that the migrations suppress. */
async function withoutSuppressed(found: readonly Finding[], rules: readonly string[]): Promise<Finding[]> {
  const { suppressions } = readSuppressions(await readSources(), (rule) => rules.includes(rule));
  // Versions of Postgres print expressions in different ways, so fingerprints count in lint alone.
  const withoutFingerprints = found.map((finding) => ({ ...finding, fingerprint: undefined }));
  return applySuppressions(withoutFingerprints, { suppressions, mistakes: [] }, () => false).findings;
}

async function inspect(query: CatalogQuery, rules: readonly Named<Rule>[]): Promise<Finding[]> {
  const client = { query } as unknown as pg.ClientBase;
  const policyRules = rules.filter(isPolicyRule).map(({ name }) => name);
  await query('set local search_path = pg_catalog');
  await setScope(client, hedgerow);
  const facts = await readPolicies(policyRules.length > 0 ? client : emptyClient, hedgerow).catch(failed(policyRules));
  await setJudgedScope(client, hedgerow, facts);
  const findings: Finding[] = [];
  for (const rule of rules) findings.push(...(await inspectRule(client, rule, facts).catch(failed([rule.name]))));
  return findings.filter(({ level }) => level === 'error');
}

/** Answers every query with no rows. */
const emptyClient = { query: async () => ({ rows: [] }) } as unknown as pg.ClientBase;

/**
 * Returns a handler for the errors of some rules.
 *
 * @throws RuleFailedError if Postgres rejected a query, and otherwise the original error.
 */
function failed(rules: readonly string[]): (error: unknown) => never {
  return (error) => {
    if (error instanceof pg.DatabaseError && !isUnavailable(error)) throw new RuleFailedError(rules, error);
    throw error;
  };
}
