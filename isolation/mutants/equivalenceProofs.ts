import pg from 'pg';
import type { Catalog, Policy, Relation, Routine } from '../catalog.ts';
import { tenantSettings } from '../identity.ts';
import { hasWord } from '../text.ts';
import { tokens } from './expression.ts';
import type { EquivalenceProof, MutantTarget } from './mutant.ts';
import { type Command, identityMarkers } from './mutantTarget.ts';

// Reasons why a mutant may change nothing for the role. Each query reads the catalog of the schema without the mutant, and
// returns true if the reason holds.

const { escapeLiteral } = pg;

/** The role can reach the table neither by its name nor through a view. */
export function unreachable({ role }: Catalog, { name, sql, schema }: Relation): EquivalenceProof {
  return {
    reason: `${role} has no USAGE on the schema ${schema}, and no view that it can use reads ${name}.`,
    query: `select not has_schema_privilege(${escapeLiteral(role)}, ${escapeLiteral(schema)}, 'usage') and not exists (
  select from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
  where d.refobjid = ${oidOf(sql)} and r.ev_class <> d.refobjid and has_any_column_privilege(${escapeLiteral(role)}, r.ev_class, 'select, insert, update'))`,
  };
}

/** The role lacks the privilege for the command, so Postgres refuses it before it evaluates policies. */
export function notGranted({ role }: Catalog, { name, sql }: Relation, command: Policy['command']): EquivalenceProof {
  const privileges = command === 'all' ? ['select', 'insert', 'update', 'delete'] : [command];
  const granted = privileges.map((privilege) => hasPrivilege(role, sql, privilege as Command));
  return {
    reason: `${role} has no privilege for ${privileges.join(', ')} on ${name}: Postgres never evaluates the policy.`,
    query: `select not (${granted.join(' or ')})`,
  };
}

/** The policy does not apply to the role, only to others. */
export function policyDoesNotApply({ role }: Catalog, { name, sql }: Relation, policy: Policy): EquivalenceProof {
  return {
    reason: `The policy ${policy.name} on ${name} does not apply to ${role}.`,
    query: `select not (${appliesTo(role, sql, policy)})`,
  };
}

/** The policy already applies to the role, so applying it to more roles changes nothing for this one. */
export function policyApplies({ role }: Catalog, { name, sql }: Relation, policy: Policy): EquivalenceProof {
  return {
    reason: `The policy ${policy.name} on ${name} already applies to ${role}, with the same conditions.`,
    query: `select ${appliesTo(role, sql, policy)}`,
  };
}

/** Another permissive policy for the command already allows the role the same rows. */
export function sameAsAnother({ role }: Catalog, { name, sql }: Relation, policy: Policy): EquivalenceProof {
  return {
    reason: `Another policy on ${name} applies to ${role} with the same conditions as ${policy.name}.`,
    query: `select p.polpermissive and exists (
  select from pg_policy o, unnest(o.polroles) r where o.polrelid = p.polrelid and o.oid <> p.oid and o.polpermissive and o.polcmd = p.polcmd
    and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage'))
    and pg_get_expr(o.polqual, o.polrelid) is not distinct from pg_get_expr(p.polqual, p.polrelid)
    and pg_get_expr(o.polwithcheck, o.polrelid) is not distinct from pg_get_expr(p.polwithcheck, p.polrelid))
from pg_policy p where p.polrelid = ${oidOf(sql)} and p.polname = ${escapeLiteral(policy.name)}`,
  };
}

/** Row-level security refuses each command that no permissive policy allows, whatever privileges the role has. */
export function refusedByDefault({ role }: Catalog, { name, sql }: Relation, command: Command): EquivalenceProof {
  const letter = { select: 'r', insert: 'a', update: 'w', delete: 'd' }[command];
  return {
    reason: `No policy allows ${role} to ${command} in ${name}: row-level security refuses every row.`,
    query: `select c.relrowsecurity and not exists (
  select from pg_policy p, unnest(p.polroles) r where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', '${letter}')
    and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage')))
from pg_class c where c.oid = ${oidOf(sql)}`,
  };
}

/** For each command that the role may run, a policy already allows every row. The rows belong to no tenant. */
export function allRowsAllowed(
  { role }: Catalog,
  { name, sql }: Relation,
  command: Policy['command'],
): EquivalenceProof {
  const letters = { select: 'r', insert: 'a', update: 'w', delete: 'd' };
  const affected = Object.entries(letters).filter(([each]) => command === 'all' || command === each);
  const allowed = affected.map(
    ([each, letter]) => `(not ${hasPrivilege(role, sql, each as Command)} or exists (
  select from pg_policy p, unnest(p.polroles) r where p.polrelid = ${oidOf(sql)} and p.polpermissive and p.polcmd in ('*', '${letter}')
    and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage'))
    and coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
    and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'))`,
  );
  return {
    reason: `For each command that ${role} may run on ${name}, a policy already allows every row.`,
    query: `select not exists (select from pg_policy where polrelid = ${oidOf(sql)} and not polpermissive) and ${allowed.join(' and ')}`,
  };
}

/**
 * The role cannot write the owner column, so no statement can name another owner:
 *
 * - An insert takes the default. A check of the owner alone then has nothing to refuse.
 * - An update keeps the owner. A row that satisfies USING then satisfies the same WITH CHECK, and any weaker one.
 *
 * @param dropped the part that the mutant takes from WITH CHECK; defaults to every check of an insert.
 * @returns no proof if a policy reads anything but the owner column, if the default does not read the identity, or if the
 *   part asks for more than the owner, such as a member's role.
 */
export function ownerNotWritable(
  { catalog, owners }: MutantTarget,
  table: Relation,
  command: Policy['command'],
  dropped?: string,
): EquivalenceProof[] {
  const { role } = catalog;
  const { name, sql, policies } = table;
  const owner = owners.get(table.oid)?.column;
  const inserts = command === 'insert' || command === 'all';
  const updates = command === 'update' || command === 'all';
  const applicable = policies.filter(({ applies }) => applies);
  const checks = applicable.map(({ using, check }) => check ?? using ?? '');
  const ofInserts = applicable
    .filter(({ command: of }) => of === 'insert' || of === 'all')
    .map(({ using, check }) => check ?? using ?? '');
  const ofUpdates = applicable.filter(({ command: of }) => of === 'update' || of === 'all');
  if (!owner || !checks.every((expression) => readsOnly(table, owner.name, expression))) return [];
  if (inserts) {
    if (!identityMarkers(catalog).some((marker) => owner.default?.includes(marker))) return [];
    if (!(dropped === undefined ? ofInserts : [dropped]).every((part) => asksOnlyForTenant(catalog, part))) return [];
  }
  if (updates && !ofUpdates.every(({ using, check }) => check === null || check === using)) return [];
  const column = escapeLiteral(owner.name);
  const conditions = [
    ...(inserts
      ? [
          `not has_column_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, ${column}, 'insert')`,
          `exists (select from pg_attrdef d join pg_attribute a on (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
  where a.attrelid = ${oidOf(sql)} and a.attname = ${column} and pg_get_expr(d.adbin, d.adrelid) = ${escapeLiteral(owner.default ?? '')})`,
        ]
      : []),
    ...(updates
      ? [`not has_column_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, ${column}, 'update')`]
      : []),
    `not exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
  where t.tgrelid = ${oidOf(sql)} and not t.tgisinternal and strpos(p.prosrc, ${column}) > 0 and t.tgtype & 2 <> 0)`,
  ];
  const values = [...(inserts ? [`${owner.default} when inserted`] : []), ...(updates ? ['never updated'] : [])];
  return [
    {
      reason: `${role} cannot choose the owner of a row of ${name}: ${owner.name} is ${values.join(' and ')}, so there is nothing to refuse.`,
      query: `select ${conditions.join('\n  and ')}`,
    },
  ];
}

/** Whether the expression reads nothing of the session but the tenant. */
function asksOnlyForTenant(catalog: Catalog, expression: string): boolean {
  const settings = tenantSettings(catalog);
  const others = catalog.routines.filter((routine) => !catalog.helpers.includes(routine));
  const isCalled = ({ sql }: Routine) => hasWord(expression, sql.slice(sql.lastIndexOf('.') + 1));
  const read = [...expression.matchAll(/current_setting\('((?:[^']|'')*)'/g)].map(([, setting]) => setting as string);
  return !others.some(isCalled) && read.every((setting) => settings.includes(setting));
}

/** Whether the expression reads no column of the row except the owner, and no other rows. */
function readsOnly({ columns }: Relation, owner: string, expression: string): boolean {
  const words = tokens(expression).map(({ text }) => text.replaceAll('"', ''));
  return !words.includes('FROM') && columns.every(({ name }) => name === owner || !words.includes(name));
}

/** The role may already run the command on some columns, and the other columns are in no key and no policy. */
export function addsUnusedColumns({ role }: Catalog, { name, sql }: Relation, command: Command): EquivalenceProof {
  const granted = command === 'delete' ? 'false' : hasPrivilege(role, sql, command);
  const hasColumn =
    command === 'delete' ? 'false' : `has_column_privilege(${escapeLiteral(role)}, a.attrelid, a.attnum, '${command}')`;
  return {
    reason: `${role} may already ${command} in ${name}. The added columns are in no key and in no policy.`,
    query: `select ${granted} and c.relrowsecurity and not exists (
  select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and not ${hasColumn} and (
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'x') and a.attnum = any (k.conkey))
    or exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey::int2[]))
    or exists (select from pg_depend d where d.classid = 'pg_policy'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum)))
from pg_class c where c.oid = ${oidOf(sql)}`,
  };
}

/** USING equals WITH CHECK. Without a WITH CHECK, a policy for UPDATE or ALL checks new rows with USING. */
export function checkEqualsUsing({ name, sql }: Relation, policy: Policy): EquivalenceProof {
  return {
    reason: `Without WITH CHECK, ${policy.name} on ${name} checks new rows with USING, which is the same expression.`,
    query: `select pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid) from pg_policy
where polrelid = ${oidOf(sql)} and polname = ${escapeLiteral(policy.name)}`,
  };
}

/** The role can write none of these columns. */
export function columnsNotWritable(
  { role }: Catalog,
  { name, sql }: Relation,
  columns: readonly string[],
): EquivalenceProof {
  const writable = columns.flatMap((column) =>
    ['insert', 'update'].map(
      (privilege) =>
        `has_column_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, ${escapeLiteral(column)}, '${privilege}')`,
    ),
  );
  return {
    reason: `${role} can write none of ${columns.join(', ')} of ${name}, neither by insert nor by update.`,
    query: `select not (${writable.join(' or ')})`,
  };
}

function hasPrivilege(role: string, sql: string, privilege: Command): string {
  const of = privilege === 'delete' ? 'table' : 'any_column';
  return `has_${of}_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, '${privilege}')`;
}

function oidOf(sql: string): string {
  return `${escapeLiteral(sql)}::regclass`;
}

function appliesTo(role: string, sql: string, { name }: Policy): string {
  return `exists (select from pg_policy p, unnest(p.polroles) r where p.polrelid = ${oidOf(sql)} and p.polname = ${escapeLiteral(name)}
  and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage')))`;
}

/** The role may run none of the commands that fire the trigger. */
export function triggerNeverFires({ role }: Catalog, { name, sql }: Relation, trigger: string): EquivalenceProof {
  const bits = { insert: 4, delete: 8, update: 16, truncate: 32 };
  const fires = Object.entries(bits).map(([privilege, bit]) => {
    const of = privilege === 'insert' || privilege === 'update' ? 'any_column' : 'table';
    return `tgtype & ${bit} <> 0 and has_${of}_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, '${privilege}')`;
  });
  return {
    reason: `${role} may run no command on ${name} that fires the trigger ${trigger}.`,
    query: `select not (${fires.join(' or ')}) from pg_trigger where tgrelid = ${oidOf(sql)} and tgname = ${escapeLiteral(trigger)}`,
  };
}

/** The proofs that can hold for any change of one policy. */
export function policyProofs(catalog: Catalog, table: Relation, policy: Policy): EquivalenceProof[] {
  return [
    unreachable(catalog, table),
    policyDoesNotApply(catalog, table, policy),
    notGranted(catalog, table, policy.command),
  ];
}
