import pg from 'pg';
import { isUnavailable } from '../postgres/connectionErrors.ts';
import { inspectRule } from './catalog.ts';
import { readPolicies } from './readPolicies.ts';
import type { Finding, Named, Rule } from './rule.ts';
import { isPolicyRule, isTextRule, readRules } from './rules.ts';
import { hedgerow, setScope } from './scope.ts';
import { readSources } from './sources.ts';
import { applySuppressions, readSuppressions } from './suppressions.ts';

/** One query on the live schema. */
type CatalogQuery = <Row>(text: string, values?: unknown[]) => Promise<{ rows: Row[] }>;

/** Runs `work` in one transaction that only reads, as a role that may name the objects of app_public. */
export type InCatalogTransaction = <T>(work: (query: CatalogQuery) => Promise<T>) => Promise<T>;

export interface LiveReport {
  /** Errors of the schema that no comment in the migrations allows. */
  readonly findings: readonly Finding[];
  /** Rules that could not be applied, and why; `timedOut` where trying again later may help. */
  readonly unchecked: readonly { readonly rule: string; readonly reason: string; readonly timedOut: boolean }[];
  /** Names of all rules that there are. */
  readonly rules: readonly string[];
}

/** Postgres refused the query of a rule. */
class RuleFailedError extends Error {
  readonly rules: readonly string[];
  constructor(rules: readonly string[], cause: pg.DatabaseError) {
    super(cause.message, { cause });
    this.rules = rules;
  }
}

/** SQLSTATEs of a statement, and of a lock, that took longer than it may. */
const timeouts: readonly unknown[] = ['57014', '55P03'];

/** Loads the rules, which takes longer than applying them, and can be done while a database is being reached. */
export async function loadLiveLinter(): Promise<(inTransaction: InCatalogTransaction) => Promise<LiveReport>> {
  const rules = await readRules();
  return (inTransaction) => inspectLive(rules, inTransaction);
}

/**
 * Applies the rules that find errors in a live schema. The text of migrations is not inspected; its comments allow the
 * same as in `npm run db -- lint`.
 *
 * @throws what the connection reports when the database is away.
 */
async function inspectLive(rules: readonly Named<Rule>[], inTransaction: InCatalogTransaction): Promise<LiveReport> {
  let left = rules.filter((rule) => rule.level === 'error' && !isTextRule(rule));
  const unchecked: LiveReport['unchecked'][number][] = [];
  for (;;) {
    try {
      const found = await inTransaction((query) => inspect(query, left));
      const names = rules.map(({ name }) => name);
      // Usually there is nothing to allow: the start is spared reading all migrations.
      const findings = found.length === 0 ? [] : await withoutAllowed(found, names);
      return { findings, unchecked, rules: names };
    } catch (error) {
      if (!(error instanceof RuleFailedError)) throw error;
      // Its transaction is lost: the others are applied in a new one.
      const { rules: failed, message, cause } = error;
      const timedOut = timeouts.includes((cause as pg.DatabaseError).code);
      unchecked.push(...failed.map((rule) => ({ rule, reason: message, timedOut })));
      left = left.filter(({ name }) => !failed.includes(name));
    }
  }
}

/** Without what comments in the migrations allow. */
async function withoutAllowed(found: readonly Finding[], rules: readonly string[]): Promise<Finding[]> {
  const { suppressions } = readSuppressions(await readSources(), (rule) => rules.includes(rule));
  return applySuppressions(found, { suppressions, mistakes: [] }, () => false).findings;
}

async function inspect(query: CatalogQuery, rules: readonly Named<Rule>[]): Promise<Finding[]> {
  const client = { query } as unknown as pg.ClientBase;
  const policyRules = rules.filter(isPolicyRule).map(({ name }) => name);
  await query('set local search_path = pg_catalog');
  await setScope(client, hedgerow);
  const facts = await readPolicies(policyRules.length > 0 ? client : nothing, hedgerow).catch(failed(policyRules));
  const findings: Finding[] = [];
  for (const rule of rules) findings.push(...(await inspectRule(client, rule, facts).catch(failed([rule.name]))));
  return findings;
}

/** Answers every query with no rows. */
const nothing = { query: async () => ({ rows: [] }) } as unknown as pg.ClientBase;

/** @throws RuleFailedError where Postgres refused the query; otherwise the error as it is. */
function failed(rules: readonly string[]): (error: unknown) => never {
  return (error) => {
    if (error instanceof pg.DatabaseError && !isUnavailable(error)) throw new RuleFailedError(rules, error);
    throw error;
  };
}
