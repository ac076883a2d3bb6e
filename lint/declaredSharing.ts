import { isNode, type Node, nodes } from '../postgres/nodeTree.ts';
import {
  type Comparison,
  DeclarationError,
  type Declarations,
  type Exception,
  type Membership,
  parseDeclarations,
} from './accessModel.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import { constantBytes, constantOf } from './treeReads.ts';

// Relates policies to the access model that comments declare: rows that others may read or write by intent.

/** Reads the declarations of tables from their comments. A rule reports those that cannot be read. */
export function readDeclarations(comments: ReadonlyMap<string, string | null>): ReadonlyMap<string, Declarations> {
  return new Map(
    [...comments].flatMap(([oid, comment]): [string, Declarations][] => {
      try {
        return [[oid, parseDeclarations(comment)]];
      } catch (error) {
        if (!(error instanceof DeclarationError)) throw error;
        return [];
      }
    }),
  );
}

/**
 * The facts under which a policy is judged for rows that no declaration shares, one for each way in which a row can fail to
 * be shared. A row is not shared `when a and b` if `a` or `b` does not hold, so there are two ways.
 *
 * @returns no facts if everybody may reach every row.
 */
export function withoutSharedRows(policy: Policy, facts: PolicyFacts): PolicyFacts[] {
  const exceptions = exceptionsOf(policy, facts);
  if (exceptions.some(({ kind }) => kind === 'everyone')) return [];
  const users = exceptions.flatMap((one) => (one.kind === 'user' ? keyOf(policy.table, one.column, facts) : []));
  const isByMembership = exceptions.some(({ kind }) => kind === 'through' || kind === 'by');
  const staff = exceptions.flatMap((one) => (one.kind === 'by' ? tableOf(one.users.table, policy.table, facts) : []));
  const assumed: PolicyFacts = {
    ...facts,
    shared: new Set([...facts.shared, ...users]),
    // The linter does not follow rows of other tables. It trusts subqueries that contain the user, as on other databases.
    trust: isByMembership ? { ...facts.trust, expressions: true } : facts.trust,
    staff: new Set(staff),
  };
  return conditionsOf(policy, exceptions, facts)
    .reduce<Excluded[][]>(
      (ways, conditions) =>
        ways.length * conditions.length > maxWays
          ? ways
          : conditions.flatMap((one) => ways.map((way) => [...way, one])),
      [[]],
    )
    .map((excluded) => ({ ...assumed, excluded }));
}

type Excluded = Comparison & { readonly table: string };

/** Further conditions are taken as not shared, which can only lead to more findings. */
const maxWays = 64;

/** The conditions under which rows are shared. A row of a subquery, such as a parent, may be read by intent as well. */
function conditionsOf(policy: Policy, exceptions: readonly Exception[], { declared }: PolicyFacts): Excluded[][] {
  const of = (table: string, all: readonly Exception[]) =>
    all.flatMap((one) => (one.kind === 'when' ? [one.conditions.map((condition) => ({ ...condition, table }))] : []));
  const parents =
    policy.command === 'select'
      ? [...declared].flatMap(([table, { read }]) => (table === policy.table ? [] : of(table, read)))
      : [];
  return [...of(policy.table, exceptions), ...parents];
}

/** Replaces inferred owners by declared ones. */
export function withDeclaredOwners(facts: PolicyFacts): PolicyFacts {
  const owners = new Map(facts.owners);
  const identifying = new Map(facts.identifying);
  for (const [oid, { owner, read, write }] of facts.declared) {
    if (owner?.kind === 'parent') owners.delete(oid);
    const names = owner?.kind === 'user' ? owner.columns : owner?.kind === 'group' ? [owner.column] : [];
    const [attnum, ...others] = names
      .flatMap((name) => keyOf(oid, name, facts))
      .map((key) => Number(key.split('.')[1]));
    const inferred = owners.get(oid);
    if (attnum !== undefined)
      owners.set(oid, inferred?.attnum === attnum ? { ...inferred, others } : { attnum, kind: 'user', others });
    const groups = owner?.kind === 'group' ? [[owner.members.table, owner.groupColumn] as const] : [];
    for (const one of [...read, ...write])
      if (one.kind === 'through') groups.push([one.members.table, one.memberColumn]);
    for (const [table, column] of groups)
      for (const key of tableOf(table, oid, facts).flatMap((members) => keyOf(members, column, facts)))
        if (!identifying.has(key)) identifying.set(key, 'user');
  }
  return { ...facts, owners, identifying };
}

/** The key of a column, or nothing if it does not exist. */
function keyOf(table: string, name: string, { columns }: PolicyFacts): string[] {
  const found = [...columns].find(([key, column]) => key.startsWith(`${table}.`) && column === name);
  return found ? [found[0]] : [];
}

/** The oid of a declared table, or nothing if it does not exist. A name without a schema is in the schema of `from`. */
function tableOf(name: readonly string[], from: string, { relations }: PolicyFacts): string[] {
  const [schema] = [...relations].flatMap(([full, oid]) => (oid === from ? [full.slice(0, full.indexOf('.'))] : []));
  const found = relations.get(name.length === 2 ? name.join('.') : `${schema}.${name[0]}`);
  return found === undefined ? [] : [found];
}

/** The declarations that apply to a policy. Sharing that is declared for reading never excuses writing. */
function exceptionsOf({ table, command }: Policy, { declared }: PolicyFacts): readonly Exception[] {
  const { read = [], write = [] } = declared.get(table) ?? {};
  return command === 'select' ? [...read, ...write] : write;
}

/**
 * Whether a condition can only be true if the comparison holds.
 *
 * @param isOfTable whether a VAR is a column of the table of the comparison.
 */
export function implies(
  node: Node,
  comparison: Excluded,
  isOfTable: (column: Node) => boolean,
  facts: PolicyFacts,
): boolean {
  const { kind, fields } = node;
  const isColumn = (side: Node | undefined): boolean => {
    if (side?.kind === 'RELABELTYPE') return isNode(side.fields.arg) && isColumn(side.fields.arg);
    if (side?.kind !== 'VAR' || !isOfTable(side)) return false;
    return facts.columns.get(`${comparison.table}.${side.fields.varattno}`) === comparison.column;
  };
  const [left, right] = nodes(fields.args);
  const operator = facts.operators.get(String(fields.opno));
  switch (comparison.is) {
    case 'true':
      return isColumn(node);
    case 'false':
      return kind === 'BOOLEXPR' && fields.boolop === 'not' && isColumn(left);
    case 'null':
    case 'not null':
      return (
        kind === 'NULLTEST' &&
        isNode(fields.arg) &&
        isColumn(fields.arg) &&
        (fields.nulltesttype === '0') === (comparison.is === 'null')
      );
    case 'past':
      return kind === 'OPEXPR' && (operator === '<=' || operator === '<') && isColumn(left) && isNow(right, facts);
    case 'one of': {
      const values =
        kind === 'OPEXPR' && operator === '='
          ? [constantText(right, facts)]
          : kind === 'SCALARARRAYOPEXPR' && fields.useOr === 'true' && operator === '=' && right?.kind === 'ARRAYEXPR'
            ? nodes(right.fields.elements).map((element) => constantText(element, facts))
            : [undefined];
      return isColumn(left) && values.every((value) => value !== undefined && comparison.values.includes(value));
    }
  }
}

function isNow(node: Node | undefined, { functions }: PolicyFacts): boolean {
  if (node?.kind === 'SQLVALUEFUNCTION') return true;
  return node?.kind === 'FUNCEXPR' && functions.get(String(node.fields.funcid))?.name === 'now';
}

/** The oids of smallint, integer and bigint. */
const integers = ['21', '23', '20'];

/** The text of a constant: a text, a label of an enum, or an integer. */
function constantText(node: Node | undefined, { labels }: PolicyFacts): string | undefined {
  if (node?.kind !== 'CONST' || node.fields.constisnull === 'true') return node && constantOf(node);
  const number = () => {
    const bytes = constantBytes(node);
    return bytes.length === 8 ? bytes.readBigInt64LE() : undefined;
  };
  if (integers.includes(String(node.fields.consttype))) return number()?.toString();
  return node.fields.constlen === '4' ? labels.get(String(number())) : constantOf(node);
}

/** Finds declarations that cannot be read, and those that name tables or columns that do not exist. */
export function findMistakes(facts: PolicyFacts): { object: string; detail: string }[] {
  return [...facts.comments].flatMap(([oid, comment]) => {
    const object = facts.tables.get(oid) as string;
    try {
      return missingNames(parseDeclarations(comment), oid, facts).map((detail) => ({ object, detail }));
    } catch (error) {
      if (!(error instanceof DeclarationError)) throw error;
      return [{ object, detail: error.message }];
    }
  });
}

function missingNames({ owner, read, write }: Declarations, oid: string, facts: PolicyFacts): string[] {
  const missing = (table: string, names: readonly string[]) => {
    const known = [...facts.columns].flatMap(([key, name]) => (key.startsWith(`${table}.`) ? [name] : []));
    return names
      .filter((name) => !known.includes(name))
      .map((name) => `an @isolation comment names the column ${name}, which ${facts.tables.get(table)} does not have`);
  };
  const ofMembers = ({ table, userColumn, conditions }: Membership, ...more: string[]) => {
    const [found] = tableOf(table, oid, facts);
    if (!found) return [`an @isolation comment names the table ${table.join('.')}, which does not exist`];
    // Tenants reach some tables only through functions. The columns of these are not read.
    if (!facts.tables.has(found)) return [];
    return missing(found, [userColumn, ...more, ...conditions.map(({ column }) => column)]);
  };
  const ofOwner = () => {
    if (!owner) return [];
    if (owner.kind !== 'group') return missing(oid, owner.columns);
    return [...missing(oid, [owner.column]), ...ofMembers(owner.members, owner.groupColumn)];
  };
  const ofException = (one: Exception): string[] => {
    if (one.kind === 'user') return missing(oid, [one.column]);
    if (one.kind === 'when')
      return missing(
        oid,
        one.conditions.map(({ column }) => column),
      );
    if (one.kind === 'by') return ofMembers(one.users);
    return one.kind === 'through' ? [...missing(oid, [one.column]), ...ofMembers(one.members, one.memberColumn)] : [];
  };
  return [...ofOwner(), ...[...read, ...write].flatMap(ofException)];
}
