import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import { descendants } from '../postgres/nodeTree.ts';
import { ourSchema } from '../postgres/ownObjects.ts';
import { sharedReason } from './accessModel.ts';
import { allowed } from './allowed.ts';
import { count, findAll, type Inspected, readingCatalog } from './catalog.ts';
import { findOwnerColumns } from './findOwners.ts';
import { setJudgedScope } from './judgedScope.ts';
import { TRUE } from './logic.ts';
import { ownerColumns } from './ownerColumns.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import { readPolicies, withOwners } from './readPolicies.ts';
import { ReferenceReader } from './references.ts';
import type { Finding, Named, Rule } from './rule.ts';
import { isApiRule, isCatalogRule, isTextRule, readRules } from './rules.ts';
import { type LintScope, setScope } from './scope.ts';

/** A rule, table or policy that the linter did not judge, and the reason. */
interface NotJudged {
  readonly about: string;
  readonly reason: string;
}

export interface DatabaseReport {
  readonly findings: readonly Finding[];
  readonly notJudged: readonly NotJudged[];
  /** Policies that no rule could decide. They can leak rows although there is no finding. */
  readonly undecided: readonly NotJudged[];
  readonly inspected: Inspected & { readonly rules: number };
  /** The schemas, the roles and the setting that the linter used. */
  readonly scope: {
    readonly schemas: readonly string[];
    readonly roles: readonly string[];
    readonly setting: string | null;
  };
}

export interface DatabaseOptions {
  /** The default is every schema on which one of the roles has USAGE. */
  readonly schemas?: readonly string[] | undefined;
  /** The roles that run tenants' transactions. */
  readonly roles: readonly string[];
  /** The setting that identifies the tenant. The default is the setting that most policies read. */
  readonly setting?: string | undefined;
  /** Claims that identify the tenant, if the setting holds JSON. */
  readonly claims?: readonly string[] | undefined;
}

/**
 * Inspects a database that is not Hedgerow's. The connection needs only read access to the catalogs.
 *
 * @throws UsageError if a role or schema does not exist, or if there is nothing to inspect.
 */
export async function lintDatabase(client: pg.ClientBase, options: DatabaseOptions): Promise<DatabaseReport> {
  const rules = (await readRules()).filter((rule) => whyNotJudged(rule) === undefined);
  return readingCatalog(client, async () => {
    await requireRoles(client, options.roles);
    const schemas = await schemasOf(client, options);
    const tenantSetting = await findSetting(client, schemas, options);
    const notJudged: NotJudged[] = [...(await rulesNotJudged()), ...tenantSetting.notJudged];
    const undecided: NotJudged[] = [...tenantSetting.undecided];
    const findings = new Map<string, { finding: Finding; roles: string[] }>();
    let inspected: Inspected = { tables: 0, policies: 0, functions: 0 };
    for (const role of options.roles) {
      const scope: LintScope = {
        schemas,
        apiSchema: undefined,
        role,
        serverRoles: [role],
        owner: undefined,
        setting: tenantSetting.setting,
        claims: options.claims,
      };
      await setScope(client, scope);
      const all = await readPolicies(client, scope);
      const { policies, shared } = withoutShared(all);
      const owners = await findOwnerColumns(client, { ...all, policies }, new Set(shared.map(({ oid }) => oid)));
      const facts = withOwners({ ...all, policies }, owners, all.policies);
      await setJudgedScope(client, scope, facts);
      const counted = await count(client, schemas);
      if (counted.tables >= inspected.tables) inspected = counted;
      for (const finding of await findAll(client, applicableRules(rules, tenantSetting.setting), facts)) {
        const key = JSON.stringify([finding.rule, finding.object, finding.detail]);
        const before = findings.get(key) ?? { finding: withSeverity(finding, rules), roles: [] };
        findings.set(key, { ...before, roles: [...before.roles, role] });
      }
      notJudged.push(
        ...shared.map(({ object, reason }) => ({
          about: object,
          reason: `its comment declares it as shared: ${reason}`,
        })),
        ...functionsNotJudged(facts),
      );
      if (tenantSetting.setting !== undefined) undecided.push(...undecidedPolicies(facts));
    }
    notJudged.push(...(await outOfScope(client, schemas, options.roles)));
    if (inspected.tables === 0)
      throw new UsageError(
        `Nothing was inspected: ${options.roles.join(' and ')} has no grant on a table in ${schemas.join(', ') || 'any schema'}. Name the roles of the API with --role and its schemas with --schema.`,
      );
    return {
      findings: [...findings.values()].map(({ finding, roles }) =>
        roles.length === options.roles.length
          ? finding
          : { ...finding, detail: `${finding.detail} (for ${roles.join(' and ')})` },
      ),
      notJudged: distinct(notJudged).filter(({ about }) => !undecided.some((one) => one.about === about)),
      undecided: distinct(undecided),
      inspected: { ...inspected, rules: rules.length },
      scope: { schemas, roles: options.roles, setting: tenantSetting.setting ?? null },
    };
  });
}

/** Returns why a rule does not apply to a database that is not Hedgerow's, or undefined if it does. */
function whyNotJudged(rule: Named<Rule>): string | undefined {
  if (typeof rule.elsewhere === 'string') return undefined;
  if (rule.elsewhere) return rule.elsewhere.notJudged;
  if (isTextRule(rule)) return 'it reads the text of migrations, which a database does not keep';
  if (isApiRule(rule)) return 'it inspects the API of Hedgerow';
  const isHedgerows = isCatalogRule(rule) && /app_p\w+\.|'(app_p\w+|hedgerow_\w+)'/.test(rule.query);
  return isHedgerows ? 'it inspects roles and schemas of Hedgerow' : undefined;
}

async function rulesNotJudged(): Promise<NotJudged[]> {
  return (await readRules()).flatMap((rule) => {
    const reason = whyNotJudged(rule);
    return reason === undefined ? [] : [{ about: `rule ${rule.name}`, reason }];
  });
}

/** Leaves out the rules about policies and owner columns if the setting that identifies the tenant is unknown. */
function applicableRules(rules: readonly Named<Rule>[], setting: string | undefined): readonly Named<Rule>[] {
  return setting === undefined
    ? rules.filter((rule) => isCatalogRule(rule) && !rule.query.includes(ownerColumns))
    : rules;
}

function withSeverity(finding: Finding, rules: readonly Named<Rule>[]): Finding {
  const elsewhere = rules.find(({ name }) => name === finding.rule)?.elsewhere;
  return typeof elsewhere === 'string' ? { ...finding, level: elsewhere } : finding;
}

async function requireRoles(client: pg.ClientBase, roles: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>('select rolname from pg_roles where rolname = any ($1)', [
    roles,
  ]);
  const missing = roles.filter((role) => !rows.some(({ rolname }) => rolname === role));
  if (missing.length > 0)
    throw new UsageError(
      `There is no role ${missing.join(', ')}. Name the role of tenants with --role. ${await suggestRoles(client)}`,
    );
  if (roles.length === 0)
    throw new UsageError(`No role is given. Name the role of tenants with --role. ${await suggestRoles(client)}`);
}

/** Lists roles that have grants on tables and to which policies apply. */
async function suggestRoles(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ roles: string | null }>(
    `select string_agg(distinct r.rolname, ', ') as roles
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
     join pg_roles r on r.oid = a.grantee
     where ${ourSchema} and c.relkind in ('r', 'p', 'v') and not r.rolsuper and not r.rolbypassrls and r.oid <> c.relowner`,
  );
  return rows[0]?.roles ? `These roles have grants on tables: ${rows[0].roles}.` : 'No role has a grant on a table.';
}

async function schemasOf(client: pg.ClientBase, { schemas, roles }: DatabaseOptions): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; entered: boolean }>(
    `select n.nspname as name, exists (select from unnest($1::name[]) r where has_schema_privilege(r, n.oid, 'usage'))
       and exists (select from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')) as entered
     from pg_namespace n where ${ourSchema} order by 1`,
    [roles],
  );
  const missing = schemas?.filter((schema) => !rows.some(({ name }) => name === schema)) ?? [];
  if (missing.length > 0)
    throw new UsageError(`There is no schema ${missing.join(', ')}. Name the schemas of the API with --schema.`);
  return schemas ?? rows.filter(({ entered }) => entered).map(({ name }) => name);
}

/** Returns the given setting, or else the one that most policies read, directly or through functions and views. */
async function findSetting(
  client: pg.ClientBase,
  schemas: readonly string[],
  { setting }: DatabaseOptions,
): Promise<{ setting: string | undefined; notJudged: NotJudged[]; undecided: NotJudged[] }> {
  const { rows } = await client.query<{ about: string; trees: string[] }>(
    `select format('policy %I on %s', p.polname, p.polrelid::regclass) as about,
       array_remove(array[p.polqual::text, p.polwithcheck::text], null) as trees
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = any ($1) order by 1`,
    [schemas],
  );
  const reader = await ReferenceReader.open(client);
  const reads: { about: string; names: string[] }[] = [];
  for (const { about, trees } of rows) {
    const { settings } = await reader.of(trees);
    reads.push({ about, names: [...settings].filter((name) => name !== undefined) });
  }
  const counts = new Map<string, number>();
  for (const name of reads.flatMap(({ names }) => names)) counts.set(name, (counts.get(name) ?? 0) + 1);
  const isOneClaim = (name: string) => /^request\.jwt\.claim(\.|$)/.test(name) && counts.has('request.jwt.claims');
  const [mostRead] = [...counts].filter(([name]) => !isOneClaim(name)).sort(([, one], [, other]) => other - one);
  const chosen = setting ?? mostRead?.[0];
  if (chosen === undefined)
    return {
      setting: undefined,
      notJudged: [],
      undecided: [{ about: 'policies and owner columns', reason: 'no policy reads a setting: name it with --setting' }],
    };
  const others = reads.flatMap(({ about, names }) => {
    const unknown = names.filter((name) => name !== chosen.toLowerCase() && !isOneClaim(name));
    return unknown.length === 0
      ? []
      : [{ about, reason: `it reads ${unknown.join(' and ')}, so a comparison with it counts as both true and false` }];
  });
  const guessed = {
    about: `setting ${chosen}`,
    reason: 'assumed to identify the tenant, because --setting was not given',
  };
  return { setting: chosen, notJudged: [...(setting === undefined ? [guessed] : []), ...others], undecided: [] };
}

const distinct = (all: readonly NotJudged[]) => [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];

/**
 * Leaves out the policies of tables whose comment declares them as shared (`@isolation shared`), as the prover does.
 */
function withoutShared(facts: PolicyFacts): {
  policies: Policy[];
  shared: { oid: string; object: string; reason: string }[];
} {
  const shared = [...facts.comments]
    .flatMap(([oid, comment]) => {
      const reason = sharedReason(comment);
      return reason === undefined ? [] : [{ oid, object: facts.tables.get(oid) as string, reason }];
    })
    .sort((one, other) => (one.object < other.object ? -1 : 1));
  const isShared = (table: string) => shared.some(({ oid }) => oid === table);
  return { policies: facts.policies.filter(({ table }) => !isShared(table)), shared };
}

/** Policies that call functions. The linter does not evaluate the bodies of functions. */
function functionsNotJudged(facts: PolicyFacts): NotJudged[] {
  return facts.policies.flatMap((policy) => {
    const names = functionsIn(policy, facts);
    return names.length === 0
      ? []
      : [
          {
            about: policy.object,
            reason: `it calls ${names.join(' and ')}, whose body the linter does not evaluate: test it with the prover`,
          },
        ];
  });
}

/** User-defined functions in a policy, except those that only return the tenant or a claim. */
function functionsIn({ using, check }: Policy, { functions }: PolicyFacts): string[] {
  const called = [using, check]
    .flatMap((one) => (one ? descendants(one) : []))
    .flatMap(({ fields }) => [fields.funcid, fields.opfuncid])
    .flatMap((oid) => functions.get(String(oid)) ?? [])
    .filter(({ name, identities, isValue }) => name.includes('.') && !(identities.length > 0 && isValue));
  return [...new Set(called.map(({ name }) => `${name}()`))];
}

/** Policies without findings only because the linter trusts a function or an expression. */
function undecidedPolicies(facts: PolicyFacts): NotJudged[] {
  const strict: PolicyFacts = { ...facts, trust: { functions: false, expressions: false } };
  const leaks = (policy: Policy, by: PolicyFacts) =>
    policy.permissive &&
    (['foreign row', 'no tenant'] as const).some((situation) => {
      const { read, written } = allowed(policy, situation, by);
      return (read | written) & TRUE;
    });
  return facts.policies.flatMap((policy) => {
    if (leaks(policy, facts) || !leaks(policy, strict)) return [];
    const names = functionsIn(policy, facts);
    const doubtful =
      names.length > 0 ? `${names.join(' and ')}, whose body no rule reads` : 'an expression that no rule understands';
    return [
      {
        about: policy.object,
        reason: `whether it restricts rows to the tenant depends on ${doubtful}: test it with the prover (docs/tester.md)`,
      },
    ];
  });
}

/** Tables and policies outside the inspected schemas and roles. */
async function outOfScope(
  client: pg.ClientBase,
  schemas: readonly string[],
  roles: readonly string[],
): Promise<NotJudged[]> {
  const { rows } = await client.query<NotJudged>(
    `select format('policy %I on %s', p.polname, p.polrelid::regclass) as about,
       format('it applies to %s, which no --role names', (select string_agg(r::regrole::text, ', ') from unnest(p.polroles) r)) as reason
     from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = any ($1) and not exists (
       select from unnest(p.polroles) r, unnest($2::name[]) role where r = 0 or pg_has_role(role, r, 'member'))
     union all
     select c.oid::regclass::text, format('%s may reach it, and no --schema names %I', role, n.nspname)
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, unnest($2::name[]) role
     where ${ourSchema} and n.nspname <> all ($1) and c.relkind in ('r', 'p', 'v', 'm', 'f')
       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
       and has_schema_privilege(role, n.oid, 'usage')
       and (has_any_column_privilege(role, c.oid, 'select, insert, update') or has_table_privilege(role, c.oid, 'delete'))
     union all
     select c.oid::regclass::text, format('its schema is inspected, but %s has no grant on it', array_to_string($2::name[], ' and '))
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = any ($1) and c.relkind in ('r', 'p') and not exists (
       select from unnest($2::name[]) role
       where has_any_column_privilege(role, c.oid, 'select, insert, update') or has_table_privilege(role, c.oid, 'delete'))
       and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
     order by 1, 2`,
    [schemas, roles],
  );
  return rows;
}
