import pg from 'pg';
import type { Catalog, Policy, Relation } from '../catalog.ts';
import { tokens } from './expression.ts';
import type { MutantTarget, Proof } from './mutant.ts';
import { type Command, identities } from './mutantTarget.ts';

// Why a mutant may change nothing for the role. Each query asks the catalog of the sound schema, and answers true or false.

const { escapeLiteral } = pg;

/** The role does not get to the table, by its name or through a view. */
export function unreachable({ role }: Catalog, { name, sql, schema }: Relation): Proof {
  return {
    words: `${role} may not enter the schema ${schema}, and no view that it may use is made of ${name}.`,
    query: `select not has_schema_privilege(${escapeLiteral(role)}, ${escapeLiteral(schema)}, 'usage') and not exists (
  select from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
  where d.refobjid = ${oidOf(sql)} and r.ev_class <> d.refobjid and has_any_column_privilege(${escapeLiteral(role)}, r.ev_class, 'select, insert, update'))`,
  };
}

/** The command is never let as far as the policies. */
export function notGranted({ role }: Catalog, { name, sql }: Relation, command: Policy['command']): Proof {
  const privileges = command === 'all' ? ['select', 'insert', 'update', 'delete'] : [command];
  const held = privileges.map((privilege) => holds(role, sql, privilege as Command));
  return {
    words: `${role} has no privilege for ${privileges.join(', ')} on ${name}: the policy is never asked.`,
    query: `select not (${held.join(' or ')})`,
  };
}

/** The policy is for other roles than the one that is attacked with. */
export function forOthers({ role }: Catalog, { name, sql }: Relation, policy: Policy): Proof {
  return {
    words: `The policy ${policy.name} on ${name} is not asked for ${role}.`,
    query: `select not (${applies(role, sql, policy)})`,
  };
}

/** The policy is asked for the role already, so that asking it for more roles too is nothing to this one. */
export function askedAlready({ role }: Catalog, { name, sql }: Relation, policy: Policy): Proof {
  return {
    words: `The policy ${policy.name} on ${name} is asked for ${role} already, and asks the same of it afterwards.`,
    query: `select ${applies(role, sql, policy)}`,
  };
}

/** With row-level security on, what no permissive policy allows is refused, whatever is granted. */
export function refusedByDefault({ role }: Catalog, { name, sql }: Relation, command: Command): Proof {
  const letter = { select: 'r', insert: 'a', update: 'w', delete: 'd' }[command];
  return {
    words: `No policy lets ${role} ${command} in ${name}: row-level security refuses every row.`,
    query: `select c.relrowsecurity and not exists (
  select from pg_policy p, unnest(p.polroles) r where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('*', '${letter}')
    and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage')))
from pg_class c where c.oid = ${oidOf(sql)}`,
  };
}

/** Whatever of it the role may do, it may do to every row: they are everybody's. */
export function openAlready({ role }: Catalog, { name, sql }: Relation, command: Policy['command']): Proof {
  const letters = { select: 'r', insert: 'a', update: 'w', delete: 'd' };
  const asked = Object.entries(letters).filter(([each]) => command === 'all' || command === each);
  const open = asked.map(
    ([each, letter]) => `(not ${holds(role, sql, each as Command)} or exists (
  select from pg_policy p, unnest(p.polroles) r where p.polrelid = ${oidOf(sql)} and p.polpermissive and p.polcmd in ('*', '${letter}')
    and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage'))
    and coalesce(pg_get_expr(p.polqual, p.polrelid), 'true') = 'true'
    and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'))`,
  );
  return {
    words: `What ${role} may do in ${name}, a policy allows for every row: they are everybody's.`,
    query: `select not exists (select from pg_policy where polrelid = ${oidOf(sql)} and not polpermissive) and ${open.join(' and ')}`,
  };
}

/**
 * Whose a new row is, is not for the role to say: it is what the default says, or what it was. With an owner that no
 * statement can name, WITH CHECK has nothing to refuse.
 */
export function ownerIsGiven({ catalog, owners }: MutantTarget, table: Relation, command: Policy['command']): Proof[] {
  const { role } = catalog;
  const { name, sql, policies } = table;
  const owner = owners.get(table.oid)?.column;
  const asked = policies.filter(({ applies }) => applies).map(({ using, check }) => check ?? using ?? '');
  if (!owner || !asked.every((expression) => speaksOnlyOf(table, owner.name, expression))) return [];
  if (command !== 'update' && !identities(catalog).some((identity) => owner.default?.includes(identity))) return [];
  const column = escapeLiteral(owner.name);
  const inserts = command === 'insert' || command === 'all';
  const updates = command === 'update' || command === 'all';
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
  const given = [...(inserts ? [`${owner.default} when inserted`] : []), ...(updates ? ['never updated'] : [])];
  return [
    {
      words: `${role} cannot say whose a row of ${name} is: ${owner.name} is ${given.join(' and ')}, so that there is nothing to refuse.`,
      query: `select ${conditions.join('\n  and ')}`,
    },
  ];
}

/** Whether the expression asks for the owner, and for nothing else of the row or of other rows. */
function speaksOnlyOf({ columns }: Relation, owner: string, expression: string): boolean {
  const words = tokens(expression).map(({ text }) => text.replaceAll('"', ''));
  return !words.includes('FROM') && columns.every(({ name }) => name === owner || !words.includes(name));
}

/** The command is granted for some columns, and the others say neither whose a row is nor what it is called. */
export function addsPlainColumns({ role }: Catalog, { name, sql }: Relation, command: Command): Proof {
  const held = command === 'delete' ? 'false' : holds(role, sql, command);
  const more =
    command === 'delete' ? 'false' : `has_column_privilege(${escapeLiteral(role)}, a.attrelid, a.attnum, '${command}')`;
  return {
    words: `${role} may ${command} in ${name} already; the columns that this adds are in no key and in no policy.`,
    query: `select ${held} and c.relrowsecurity and not exists (
  select from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and not ${more} and (
    exists (select from pg_constraint k where k.conrelid = c.oid and k.contype in ('p', 'u', 'f', 'x') and a.attnum = any (k.conkey))
    or exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey::int2[]))
    or exists (select from pg_depend d where d.classid = 'pg_policy'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum)))
from pg_class c where c.oid = ${oidOf(sql)}`,
  };
}

/** What a policy for UPDATE or ALL asks of new rows, where it has no WITH CHECK. */
export function sameAsUsing({ name, sql }: Relation, policy: Policy): Proof {
  return {
    words: `Without WITH CHECK, ${policy.name} on ${name} asks of new rows what USING says, which is the same.`,
    query: `select pg_get_expr(polqual, polrelid) = pg_get_expr(polwithcheck, polrelid) from pg_policy
where polrelid = ${oidOf(sql)} and polname = ${escapeLiteral(policy.name)}`,
  };
}

/** The role can name no value for any of these columns. */
export function notChosen({ role }: Catalog, { name, sql }: Relation, columns: readonly string[]): Proof {
  const given = columns.flatMap((column) =>
    ['insert', 'update'].map(
      (privilege) =>
        `has_column_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, ${escapeLiteral(column)}, '${privilege}')`,
    ),
  );
  return {
    words: `${role} can give no value for ${columns.join(', ')} of ${name}, neither by insert nor by update.`,
    query: `select not (${given.join(' or ')})`,
  };
}

function holds(role: string, sql: string, privilege: Command): string {
  const of = privilege === 'delete' ? 'table' : 'any_column';
  return `has_${of}_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, '${privilege}')`;
}

function oidOf(sql: string): string {
  return `${escapeLiteral(sql)}::regclass`;
}

function applies(role: string, sql: string, { name }: Policy): string {
  return `exists (select from pg_policy p, unnest(p.polroles) r where p.polrelid = ${oidOf(sql)} and p.polname = ${escapeLiteral(name)}
  and (r = 0 or pg_has_role(${escapeLiteral(role)}, r, 'usage')))`;
}

/** The role may do none of what the trigger fires for. */
export function triggerNeverFires({ role }: Catalog, { name, sql }: Relation, trigger: string): Proof {
  const bits = { insert: 4, delete: 8, update: 16, truncate: 32 };
  const fires = Object.entries(bits).map(([privilege, bit]) => {
    const of = privilege === 'insert' || privilege === 'update' ? 'any_column' : 'table';
    return `tgtype & ${bit} <> 0 and has_${of}_privilege(${escapeLiteral(role)}, ${escapeLiteral(sql)}, '${privilege}')`;
  });
  return {
    words: `${role} may do nothing in ${name} that the trigger ${trigger} fires for.`,
    query: `select not (${fires.join(' or ')}) from pg_trigger where tgrelid = ${oidOf(sql)} and tgname = ${escapeLiteral(trigger)}`,
  };
}

/** What holds for a change of one policy of a table. */
export function aboutPolicy(catalog: Catalog, table: Relation, policy: Policy): Proof[] {
  return [unreachable(catalog, table), forOthers(catalog, table, policy), notGranted(catalog, table, policy.command)];
}
