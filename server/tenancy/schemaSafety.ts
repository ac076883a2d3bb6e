import type { Logger } from 'pino';
import { Identity } from './identity.ts';
import type { Database } from './tenantDatabase.ts';

/** An error in the schema that the linter found. */
interface SchemaFinding {
  readonly rule: string;
  readonly object: string;
  readonly detail: string;
  /** The documentation page of the rule. */
  readonly page: string;
}

type Query = <Row>(text: string, values?: unknown[]) => Promise<{ rows: Row[] }>;

/** A linter for the live schema. It reads catalogs in the transactions that `inTransaction` gives it. */
export type InspectLive = (inTransaction: <T>(work: (query: Query) => Promise<T>) => Promise<T>) => Promise<{
  readonly findings: readonly SchemaFinding[];
  readonly unchecked: readonly { readonly rule: string; readonly reason: string; readonly timedOut: boolean }[];
  readonly rules: readonly string[];
}>;

/** Decides which errors in the schema are tolerated. */
interface SchemaPolicy {
  /** Rules that the operator has allowed (ALLOW_UNSAFE_SCHEMA). */
  readonly allowed: readonly string[];
  /** Whether the schema is of a later version, whose suppression comments this version does not have. */
  readonly schemaIsNewer: boolean;
}

/** The rule about roles. Migrations do not create roles, so a newer schema does not excuse its findings. */
const aboutRoles = 'role-bypasses-rls';

/**
 * Inspects the live schema. Logs errors that the policy tolerates as warnings, at each start.
 *
 * @returns the other errors as reasons not to serve, one sentence each.
 * @throws the error of the connection if the database is unavailable.
 */
export async function unsafeSchema(
  inspectLive: InspectLive,
  database: Database,
  { allowed, schemaIsNewer }: SchemaPolicy,
  log: Logger,
): Promise<string[]> {
  // The role of tenants without a user can read catalogs and no rows.
  const { findings, unchecked, rules } = await inspectLive((work) =>
    database
      .as(Identity.nobody)
      .transaction((transaction) => work((text, values = []) => transaction.query({ text, values })), {
        snapshot: true,
      }),
  );
  const unknown = allowed.filter((rule) => !rules.includes(rule));
  if (unknown.length > 0) log.warn({ unknown }, 'ALLOW_UNSAFE_SCHEMA names rules that do not exist');
  const reasons: string[] = [];
  for (const { rule, object, detail, page } of findings) {
    if (allowed.includes(rule))
      log.warn({ rule, object, detail }, 'an unsafe schema is served: ALLOW_UNSAFE_SCHEMA allows it');
    else if (schemaIsNewer && rule !== aboutRoles) {
      log.warn(
        { rule, object, detail },
        'an unsafe schema is served: it is newer than this server, and the newer version may suppress this rule',
      );
    } else reasons.push(`${object}: ${detail} (${rule}, ${page})`);
  }
  for (const { rule, reason, timedOut } of unchecked) {
    if (allowed.includes(rule) || timedOut) log.warn({ rule, reason }, 'the schema is served without this check');
    else reasons.push(`${rule} could not be checked: ${reason}`);
  }
  if (reasons.length > 0) {
    reasons.push('change the schema, or set ALLOW_UNSAFE_SCHEMA to the names of the rules to serve it as it is');
  }
  return reasons;
}
