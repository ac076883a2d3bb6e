import type pg from 'pg';
import { UsageError } from '../common/usageError.ts';
import { ourSchema } from '../postgres/ownObjects.ts';
import { count, findAll, type Inspected, readingCatalog } from './catalog.ts';
import { tenantTables } from './facts.ts';
import { findOwnerColumns } from './findOwners.ts';
import { TRUE } from './logic.ts';
import { descendants } from './nodeTree.ts';
import { outcomes } from './outcomes.ts';
import { ownerColumns } from './ownerColumns.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import { readPolicies } from './readPolicies.ts';
import { ReferenceReader } from './references.ts';
import type { Finding, Named, Rule } from './rule.ts';
import { isApiRule, isCatalogRule, isTextRule, readRules } from './rules.ts';
import { type LintScope, setScope } from './scope.ts';

/** Something that the lint could not judge, and why. */
interface NotJudged {
  readonly about: string;
  readonly reason: string;
}

export interface DatabaseReport {
  readonly findings: readonly Finding[];
  readonly notJudged: readonly NotJudged[];
  /** Policies whose judgement depends on something that no rule reads: without findings, too, they may have holes. */
  readonly undecided: readonly NotJudged[];
  readonly inspected: Inspected & { readonly rules: number };
  /** The schemas, the roles and the setting that were taken. */
  readonly scope: {
    readonly schemas: readonly string[];
    readonly roles: readonly string[];
    readonly setting: string | null;
  };
}

export interface DatabaseOptions {
  /** By default every schema that one of the roles may enter. */
  readonly schemas?: readonly string[] | undefined;
  /** The roles of tenants' transactions. */
  readonly roles: readonly string[];
  /** By default the setting that most policies read. */
  readonly setting?: string | undefined;
  /** Keys of the claims that name the tenant, where the setting holds JSON. */
  readonly claims?: readonly string[] | undefined;
}

/**
 * Inspects a database that is not Hedgerow's. It needs no right but to read the catalogs.
 *
 * @throws UsageError where a role or schema does not exist, or there is nothing to inspect.
 */
export async function lintDatabase(client: pg.ClientBase, options: DatabaseOptions): Promise<DatabaseReport> {
  const rules = (await readRules()).filter((rule) => whyNotJudged(rule) === undefined);
  return readingCatalog(client, async () => {
    await demandRoles(client, options.roles);
    const schemas = await schemasOf(client, options);
    const known = await settingOf(client, schemas, options);
    const notJudged: NotJudged[] = [...(await rulesNotJudged()), ...known.notJudged];
    const undecided: NotJudged[] = [...known.undecided];
    const findings = new Map<string, { finding: Finding; roles: string[] }>();
    let inspected: Inspected = { tables: 0, policies: 0, functions: 0 };
    for (const role of options.roles) {
      const scope: LintScope = {
        schemas,
        apiSchema: undefined,
        role,
        serverRoles: [role],
        owner: undefined,
        setting: known.setting,
        claims: options.claims,
      };
      await setScope(client, scope);
      const { facts, shared } = await withoutShared(client, await readPolicies(client, scope));
      await setScope(client, scope, await findOwnerColumns(client, facts, new Set(shared.map(({ oid }) => oid))));
      const here = await count(client, schemas);
      if (here.tables >= inspected.tables) inspected = here;
      for (const finding of await findAll(client, usable(rules, known.setting), facts)) {
        const key = JSON.stringify([finding.rule, finding.object, finding.detail]);
        const before = findings.get(key) ?? { finding: withLevel(finding, rules), roles: [] };
        findings.set(key, { ...before, roles: [...before.roles, role] });
      }
      notJudged.push(
        ...shared.map(({ object, reason }) => ({
          about: object,
          reason: `its comment says that it is shared: ${reason}`,
        })),
        ...functionsNotJudged(facts),
      );
      if (known.setting !== undefined) undecided.push(...undecidedPolicies(facts));
    }
    notJudged.push(...(await outOfScope(client, schemas, options.roles)));
    if (inspected.tables === 0)
      throw new UsageError(
        `Nothing was inspected: ${options.roles.join(' and ')} may do nothing with a table in ${schemas.join(', ') || 'any schema'}. Say the roles of the API with --role, and its schemas with --schema.`,
      );
    return {
      findings: [...findings.values()].map(({ finding, roles }) =>
        roles.length === options.roles.length
          ? finding
          : { ...finding, detail: `${finding.detail} (for ${roles.join(' and ')})` },
      ),
      notJudged: withoutDoubles(notJudged).filter(({ about }) => !undecided.some((one) => one.about === about)),
      undecided: withoutDoubles(undecided),
      inspected: { ...inspected, rules: rules.length },
      scope: { schemas, roles: options.roles, setting: known.setting ?? null },
    };
  });
}

/** Why a rule says nothing about a database that is not Hedgerow's; undefined where it judges it. */
function whyNotJudged(rule: Named<Rule>): string | undefined {
  if (typeof rule.elsewhere === 'string') return undefined;
  if (rule.elsewhere) return rule.elsewhere.notJudged;
  if (isTextRule(rule)) return 'it reads the text of migrations, and a database has none';
  if (isApiRule(rule)) return 'it builds the API of Hedgerow';
  // The subquery of owner columns reads the scope by itself.
  const isHedgerows =
    isCatalogRule(rule) && /app_p\w+\.|'(app_p\w+|hedgerow_\w+)'/.test(rule.query.replaceAll(ownerColumns, ''));
  return isHedgerows ? 'it is about roles and schemas of Hedgerow' : undefined;
}

async function rulesNotJudged(): Promise<NotJudged[]> {
  return (await readRules()).flatMap((rule) => {
    const reason = whyNotJudged(rule);
    return reason === undefined ? [] : [{ about: `rule ${rule.name}`, reason }];
  });
}

/** Rules about policies and owners need to know how a transaction names its tenant. */
function usable(rules: readonly Named<Rule>[], setting: string | undefined): readonly Named<Rule>[] {
  return setting === undefined
    ? rules.filter((rule) => isCatalogRule(rule) && !rule.query.includes(ownerColumns))
    : rules;
}

function withLevel(finding: Finding, rules: readonly Named<Rule>[]): Finding {
  const elsewhere = rules.find(({ name }) => name === finding.rule)?.elsewhere;
  return typeof elsewhere === 'string' ? { ...finding, level: elsewhere } : finding;
}

async function demandRoles(client: pg.ClientBase, roles: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ rolname: string }>('select rolname from pg_roles where rolname = any ($1)', [
    roles,
  ]);
  const missing = roles.filter((role) => !rows.some(({ rolname }) => rolname === role));
  if (missing.length > 0)
    throw new UsageError(`There is no role ${missing.join(', ')}: say --role. ${await hint(client)}`);
  if (roles.length === 0) throw new UsageError(`Say with --role as which role tenants run. ${await hint(client)}`);
}

/** Names roles that have grants on tables and are bound by policies. */
async function hint(client: pg.ClientBase): Promise<string> {
  const { rows } = await client.query<{ roles: string | null }>(
    `select string_agg(distinct r.rolname, ', ') as roles
     from pg_class c join pg_namespace n on n.oid = c.relnamespace, aclexplode(c.relacl) a
     join pg_roles r on r.oid = a.grantee
     where ${ourSchema} and c.relkind in ('r', 'p', 'v') and not r.rolsuper and not r.rolbypassrls and r.oid <> c.relowner`,
  );
  return rows[0]?.roles ? `These have grants on tables: ${rows[0].roles}.` : 'No role has a grant on a table here.';
}

async function schemasOf(client: pg.ClientBase, { schemas, roles }: DatabaseOptions): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string; entered: boolean }>(
    `select n.nspname as name, exists (select from unnest($1::name[]) r where has_schema_privilege(r, n.oid, 'usage'))
       and exists (select from pg_class c where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')) as entered
     from pg_namespace n where ${ourSchema} order by 1`,
    [roles],
  );
  const missing = schemas?.filter((schema) => !rows.some(({ name }) => name === schema)) ?? [];
  if (missing.length > 0) throw new UsageError(`There is no schema ${missing.join(', ')}: say --schema.`);
  return schemas ?? rows.filter(({ entered }) => entered).map(({ name }) => name);
}

/** The setting that was given, or the one that most policies read, by themselves or through functions and views. */
async function settingOf(
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
  const [likeliest] = [...counts].filter(([name]) => !isOneClaim(name)).sort(([, one], [, other]) => other - one);
  const taken = setting ?? likeliest?.[0];
  if (taken === undefined)
    return {
      setting: undefined,
      notJudged: [],
      undecided: [{ about: 'policies and owner columns', reason: 'no policy reads a setting: say --setting' }],
    };
  const others = reads.flatMap(({ about, names }) => {
    const unknown = names.filter((name) => name !== taken.toLowerCase() && !isOneClaim(name));
    return unknown.length === 0
      ? []
      : [{ about, reason: `it reads ${unknown.join(' and ')}: a comparison with it was taken as true and as false` }];
  });
  const guessed = {
    about: `setting ${taken}`,
    reason: 'taken as the setting that names the tenant, for --setting was not given',
  };
  return { setting: taken, notJudged: [...(setting === undefined ? [guessed] : []), ...others], undecided: [] };
}

const withoutDoubles = (all: readonly NotJudged[]) => [
  ...new Map(all.map((one) => [JSON.stringify(one), one])).values(),
];

/** Leaves out the policies of tables whose comment says that they are everybody's, as the prover does. */
async function withoutShared(
  client: pg.ClientBase,
  facts: PolicyFacts,
): Promise<{ facts: PolicyFacts; shared: { oid: string; object: string; reason: string }[] }> {
  const { rows } = await client.query<{ oid: string; object: string; comment: string | null }>(
    `select t.oid::text, t.object, obj_description(t.oid, 'pg_class') as comment from ${tenantTables} t order by 2`,
  );
  const shared = rows.flatMap(({ oid, object, comment }) => {
    const [, reason] = comment?.match(/^\s*@isolation\s+shared:\s*(\S.*)$/m) ?? [];
    return reason === undefined ? [] : [{ oid, object, reason }];
  });
  const isShared = (table: string) => shared.some(({ oid }) => oid === table);
  return { facts: { ...facts, policies: facts.policies.filter(({ table }) => !isShared(table)) }, shared };
}

/** Policies that call functions: what a function answers is not read from its body. */
function functionsNotJudged(facts: PolicyFacts): NotJudged[] {
  return facts.policies.flatMap((policy) => {
    const names = functionsIn(policy, facts);
    return names.length === 0
      ? []
      : [
          {
            about: policy.object,
            reason: `it asks ${names.join(' and ')}, whose body was not judged: the prover attacks it`,
          },
        ];
  });
}

/** The functions in a policy that are not Postgres' own and do more than to return the tenant or a claim. */
function functionsIn({ using, check }: Policy, { functions }: PolicyFacts): string[] {
  const called = [using, check]
    .flatMap((one) => (one ? descendants(one) : []))
    .flatMap(({ fields }) => [fields.funcid, fields.opfuncid])
    .flatMap((oid) => functions.get(String(oid)) ?? [])
    .filter(({ name, tenant, isValue }) => name.includes('.') && !(tenant && isValue));
  return [...new Set(called.map(({ name }) => `${name}()`))];
}

/** Policies that are accepted only because a function or an expression is taken at its word. */
function undecidedPolicies(facts: PolicyFacts): NotJudged[] {
  const strict: PolicyFacts = { ...facts, trust: { functions: false, expressions: false } };
  const opens = ({ permissive, using, check, table }: Policy, by: PolicyFacts) =>
    permissive &&
    [using, check].some((one) =>
      (['foreign row', 'nobody'] as const).some((situation) => one && outcomes(one, table, situation, by) & TRUE),
    );
  return facts.policies.flatMap((policy) => {
    if (opens(policy, facts) || !opens(policy, strict)) return [];
    const names = functionsIn(policy, facts);
    const doubtful =
      names.length > 0 ? `${names.join(' and ')}, whose body no rule reads` : 'an expression that no rule understands';
    return [
      {
        about: policy.object,
        reason: `whether it binds rows to the tenant depends on ${doubtful}: attack it with the prover (docs/tester.md)`,
      },
    ];
  });
}

/** Tables and policies that the given schemas and roles leave out. */
async function outOfScope(
  client: pg.ClientBase,
  schemas: readonly string[],
  roles: readonly string[],
): Promise<NotJudged[]> {
  const { rows } = await client.query<NotJudged>(
    `select format('policy %I on %s', p.polname, p.polrelid::regclass) as about,
       format('it is for %s, which no --role names', (select string_agg(r::regrole::text, ', ') from unnest(p.polroles) r)) as reason
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
     select c.oid::regclass::text, format('its schema is inspected, and %s may do nothing with it', array_to_string($2::name[], ' and '))
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
