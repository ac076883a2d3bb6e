import { children, descendants, isNode, type Node, nodes, type Value } from '../postgres/nodeTree.ts';
import { implies } from './declaredSharing.ts';
import {
  identitiesOf,
  identitySetting,
  isClaimOfTenant,
  isRestrictedToTenant,
  isTenantCall,
  readsTenant,
} from './identities.ts';
import { connectedWithRow, followJoins, type Ownership } from './joins.ts';
import { ANYTHING, and, FALSE, not, TRUE, UNKNOWN } from './logic.ts';
import type { PolicyFacts } from './policies.ts';
import type { IdentityKind } from './scope.ts';
import { columnsIn, isCorrelated, nestOneLevel, type QueryParts, queryParts } from './subquery.ts';
import { constantOf, textOf } from './treeReads.ts';

// Evaluates policies by abstract interpretation: computes all results that a condition can have, over abstract values
// instead of rows. It approximates from above, so an unusual policy leads to a finding rather than to a missed leak.
// The exceptions are functions and expressions that it trusts (see `trust` in PolicyFacts).

/**
 * The assumption under which a condition is evaluated. `foreign row`: the row belongs to another tenant, so no column
 * equals the tenant of the transaction. `no tenant`: the transaction has no tenant, so the setting is null. `foreign
 * owner`: only the owner column differs from the tenant, and columns that are declared as shared. `own row`: any column
 * may equal the tenant, but none a value from the tenant's other rows.
 *
 * The tenant of an organization's row is the organization. Then only the owner column is known to differ from it.
 */
export type Situation = 'foreign row' | 'foreign owner' | 'own row' | 'no tenant';

/**
 * An abstract value: the tenant; the identity of the other kind (`member`: the user, if rows belong to organizations); a
 * value from the tenant's own rows (`of the tenant`), or null if there are none; null; a constant; a column of a row
 * (`column <depth> <table number> <column number>`); or unknown.
 */
type AbstractValue =
  | 'tenant'
  | 'member'
  | 'of the tenant'
  | 'null'
  | 'unknown'
  | `constant ${string}`
  | `column ${string}`;

/** The values of the two identities in a transaction. */
export interface Identities {
  readonly tenant: 'tenant' | 'null';
  readonly member: 'member' | 'null';
}

/** The position of an expression in nested queries. */
export interface Place {
  /** 0 in the policy itself, and 1 more in each subquery. */
  readonly depth: number;
  /** The columns of the subquery in `x in (select …)`, which PARAM nodes refer to. */
  readonly selected: readonly AbstractValue[];
  /** The oids of the tables of each query, by depth, at the index of their number in VAR minus 1. */
  readonly tables: readonly (readonly string[])[];
  /** Functions in FROM that depend on the tenant, as `<depth> <table number>`. */
  readonly ofFunctions: readonly string[];
}

/** The kind of tenant that the rows of a table belong to. */
export function kindOf(table: string, { owners }: PolicyFacts): IdentityKind {
  return owners.get(table)?.kind ?? 'user';
}

/** The oid of the type boolean. */
const boolean = '16';

/** Evaluates expressions of the policies of one table in one kind of transaction. */
export class Evaluator {
  /** The oid of the policy's table. */
  readonly #table: string;
  readonly #tenant: Identities['tenant'];
  readonly #member: Identities['member'];
  readonly #situation: Situation;
  readonly #facts: PolicyFacts;
  /** The kind of tenant that the rows of the table belong to. */
  readonly #kind: IdentityKind;
  readonly #isNobody: boolean;
  readonly #tenantValue: AbstractValue;

  constructor(table: string, { tenant, member }: Identities, situation: Situation, facts: PolicyFacts) {
    this.#table = table;
    this.#tenant = tenant;
    this.#member = member;
    this.#situation = situation;
    this.#facts = facts;
    this.#kind = kindOf(table, facts);
    this.#isNobody = tenant === 'null' && member === 'null';
    this.#tenantValue = this.#isNobody ? 'null' : 'of the tenant';
  }

  /** The place of the policy itself. */
  get outermost(): Place {
    return { depth: 0, selected: [], ofFunctions: [], tables: [[this.#table]] };
  }

  /** The oid of the table of a column. */
  #tableOf({ fields }: Node, place: Place): string | undefined {
    return place.tables[place.depth - Number(fields.varlevelsup)]?.[Number(fields.varno) - 1];
  }

  /** The oids of the tables that a function reads. */
  #readBy(oid: Value | undefined) {
    return (this.#facts.readsOfFunctions.get(String(oid)) ?? []).map(({ table }) => table);
  }

  /** Whether a comment declares that the users of one of these tables may reach every row. */
  #isStaff(tables: readonly string[]) {
    return tables.some((oid) => this.#facts.staff?.has(oid));
  }

  /** Whether the linter trusts a function to restrict rows to the tenant. It may look up the organizations of a user. */
  #isTrusted(oid: Value | undefined) {
    const { identities = [], readsRows = false } = this.#facts.functions.get(String(oid)) ?? {};
    return (
      this.#facts.trust.functions &&
      (identities.includes(this.#kind) || (this.#kind === 'group' && readsRows && identities.length > 0))
    );
  }

  #identityOf(of: IdentityKind): AbstractValue {
    return of === this.#kind ? this.#tenant : this.#member;
  }

  /**
   * Whether the linter trusts a subquery to restrict the row to the tenant: a part of it that is connected with the row
   * contains the tenant, or reads a table whose policies do.
   */
  #isTrustedQuery(sublink: Node, { fromRows, understood }: QueryParts) {
    if (!this.#facts.trust.expressions || sublink === this.#facts.assumed) return false;
    if (!fromRows && understood && (sublink.fields.subselect as Node).fields.hasTargetSRFs !== 'true') return false;
    const { expressions, tables } = connectedWithRow(sublink);
    return (
      expressions.some((one) => this.#containsTenant(one)) ||
      tables.some((oid) => isRestrictedToTenant(oid, this.#facts))
    );
  }

  /** Whether an expression contains the tenant, except in subqueries in which it does not affect the row. */
  #containsTenant(node: Node): boolean {
    if (node === this.#facts.assumed) return false;
    if (isTenantCall(node, this.#facts)) return true;
    if (node.kind === 'SUBLINK' && queryParts(node).fromRows) {
      const isUsed = /^[46]$/.test(String(node.fields.subLinkType)) || this.#isAboutRow(node);
      return isUsed && this.#isTrustedQuery(node, queryParts(node));
    }
    return children(node).some((one) => this.#containsTenant(one));
  }

  /** Whether the result of a subquery can differ between rows. Otherwise it allows all rows or none. */
  #isAboutRow(sublink: Node) {
    return (
      isCorrelated(sublink) ||
      (isNode(sublink.fields.testexpr) && descendants(sublink.fields.testexpr).some(({ kind }) => kind === 'VAR'))
    );
  }

  /** Whether one argument depends on the row, and another one on the tenant alone. */
  #relatesTenant({ fields }: Node, place: Place) {
    const sides = nodes(fields.args);
    const ofRow = (side: Node) => columnsIn(side).length > 0;
    return (
      sides.some((side) => ofRow(side) && !readsTenant(side, this.#facts)) &&
      sides.some((side) => !ofRow(side) && this.#isDerivedFromTenant(side, place))
    );
  }

  /**
   * Whether the linter trusts an operator that it does not understand to compare a value of the row with the tenant.
   */
  #isTrustedComparison(node: Node, place: Place) {
    if (!this.#facts.trust.expressions || /^(<>|<|>|<=|>=|!.*)$/.test(this.#operator(node.fields))) return false;
    const isUnderstood = nodes(node.fields.args).every((side) => this.value(side, place) !== 'unknown');
    return !(this.#operator(node.fields) === '=' && isUnderstood) && this.#relatesTenant(node, place);
  }

  /**
   * Whether an expression contains a value that combines the row and the tenant in a way that no rule understands, such
   * as by strpos() or by a subquery.
   */
  #hasTrustedValue(node: Node, place: Place): boolean {
    if (!this.#facts.trust.expressions) return false;
    const { kind, fields } = node;
    if (kind === 'QUERY') return false;
    if (kind === 'SUBLINK' && /^[46]$/.test(String(fields.subLinkType))) {
      const isNull = fields.subLinkType === '4' && this.#isEmpty(node, place);
      return !isNull && isCorrelated(node) && this.#isTrustedQuery(node, queryParts(node));
    }
    const type = fields.funcresulttype ?? fields.opresulttype;
    if (typeof type === 'string' && type !== boolean) {
      const isTrustedCall = this.#isTrusted(fields.funcid) && columnsIn(node).length > 0;
      if (isTrustedCall || this.#relatesTenant(node, place)) return true;
    }
    return children(node).some((child) => this.#hasTrustedValue(child, place));
  }

  /** Whether an expression is the tenant or derived from it. Another claim of the same setting is not. */
  #isDerivedFromTenant(node: Node, place: Place): boolean {
    if (!readsTenant(node, this.#facts)) return false;
    const known = this.value(node, place);
    if (known === this.#tenant || known === this.#tenantValue) return true;
    const isClaim =
      node.kind === 'OPEXPR' &&
      /^(->>?|#>>?)$/.test(this.#operator(node.fields)) &&
      pathOf(nodes(node.fields.args)[1]) !== undefined;
    return (
      !isClaim && node.kind !== 'SUBLINK' && children(node).some((child) => this.#isDerivedFromTenant(child, place))
    );
  }

  #enter({ depth, ofFunctions, tables: outside }: Place, { functions, tables }: QueryParts): Place {
    return {
      depth: depth + 1,
      tables: [...outside, tables],
      selected: [],
      ofFunctions: [
        ...ofFunctions,
        ...functions.flatMap((oid, index) => (this.#isTrusted(oid) ? [`${depth + 1} ${index + 1}`] : [])),
      ],
    };
  }

  #isNeverNull(known: AbstractValue) {
    return (
      known === 'tenant' ||
      known === 'member' ||
      known.startsWith('constant ') ||
      (known.startsWith('column 0 ') && this.#facts.notNull.has(`${this.#table}.${known.split(' ')[3]}`))
    );
  }

  #orUnknown(...values: AbstractValue[]) {
    return values.every((one) => this.#isNeverNull(one)) ? 0 : UNKNOWN;
  }

  truth(node: Node, place: Place): number {
    const { excluded = [] } = this.#facts;
    const isExcluded = excluded.some((one) =>
      implies(node, one, (column) => this.#tableOf(column, place) === one.table, this.#facts),
    );
    if (isExcluded) return FALSE | UNKNOWN;
    const found = this.#evaluate(node, place);
    const isComposed = /^(BOOLEXPR|BOOLEANTEST|CASEEXPR|COALESCEEXPR|SUBLINK)$/.test(node.kind);
    return found & TRUE && !isComposed && this.#hasTrustedValue(node, place) ? UNKNOWN : found;
  }

  #evaluate(node: Node, place: Place): number {
    const { kind, fields } = node;
    const all = (list: Value | undefined) => nodes(list).map((one) => this.truth(one, place));
    switch (kind) {
      case 'CONST':
        if (fields.constisnull === 'true') return UNKNOWN;
        return String(fields.constvalue).startsWith('1 [ 1') ? TRUE : FALSE;
      case 'BOOLEXPR': {
        const given = all(fields.args);
        if (fields.boolop === 'and') return and(given);
        if (fields.boolop === 'or') return not(and(given.map(not)));
        return not(given[0] ?? ANYTHING);
      }
      case 'NULLTEST': {
        const known = this.value(fields.arg, place);
        const isNull = known === 'null' ? TRUE : this.#isNeverNull(known) ? FALSE : TRUE | FALSE;
        return fields.nulltesttype === '0' ? isNull : not(isNull);
      }
      case 'BOOLEANTEST': {
        const given = isNode(fields.arg) ? this.truth(fields.arg, place) : ANYTHING;
        // `is true`, `is false`, `is unknown`, each followed by its negation.
        const wanted = [TRUE, FALSE, UNKNOWN][Math.floor(Number(fields.booltesttype) / 2)] as number;
        const is = (given & wanted ? TRUE : 0) | (given & ~wanted ? FALSE : 0);
        return Number(fields.booltesttype) % 2 === 0 ? is : not(is);
      }
      case 'OPEXPR': {
        const [left, right] = nodes(fields.args);
        if (!left || !right) return ANYTHING;
        // A comparison with a boolean constant, such as `condition = true`.
        const [flag] = [right, left].filter(
          ({ kind: of, fields: { consttype } }) => of === 'CONST' && consttype === boolean,
        );
        if (flag && /^(=|<>)$/.test(this.#operator(fields))) {
          const isSame = this.truth(flag, place) === (this.#operator(fields) === '=' ? TRUE : FALSE);
          const other = this.truth(flag === right ? left : right, place);
          return flag.fields.constisnull === 'true' ? UNKNOWN : isSame ? other : not(other);
        }
        const compared = this.#compare(this.#operator(fields), this.value(left, place), this.value(right, place));
        return this.#isTrustedComparison(node, place) ? compared & ~TRUE || FALSE : compared;
      }
      case 'DISTINCTEXPR': {
        const [left = 'unknown', right = 'unknown'] = nodes(fields.args).map((one) => this.value(one, place));
        if (left === 'null' && right === 'null') return FALSE;
        if (left === 'null' || right === 'null')
          return this.#isNeverNull(left) || this.#isNeverNull(right) ? TRUE : TRUE | FALSE;
        return not(this.#compare('=', left, right)) & ~UNKNOWN;
      }
      case 'SCALARARRAYOPEXPR': {
        const [one, list] = nodes(fields.args);
        if (!one || !list) return ANYTHING;
        const left = this.value(one, place);
        const items = list.kind === 'ARRAYEXPR' ? nodes(list.fields.elements) : [list];
        const compared = items.map((item) => this.#compare(this.#operator(fields), left, this.value(item, place)));
        const found = fields.useOr === 'true' ? not(and(compared.map(not))) : and(compared);
        return fields.useOr === 'true' && this.#isTrustedComparison(node, place) ? found & ~TRUE || FALSE : found;
      }
      case 'COALESCEEXPR': {
        let possible = 0;
        for (const given of all(fields.args)) {
          possible |= given & ~UNKNOWN;
          if (!(given & UNKNOWN)) return possible;
        }
        return possible | UNKNOWN;
      }
      case 'CASEEXPR': {
        let possible = 0;
        for (const { fields: branch } of nodes(fields.args)) {
          const condition = branch.expr as Node;
          const when = this.truth(isNode(fields.arg) ? withCaseValue(condition, fields.arg) : condition, place);
          if (when & TRUE) possible |= this.truth(branch.result as Node, place);
          if (when === TRUE) return possible;
        }
        return possible | (isNode(fields.defresult) ? this.truth(fields.defresult, place) : UNKNOWN);
      }
      case 'SUBLINK':
        return this.#subquery(node, place);
      case 'RELABELTYPE':
      case 'COERCETODOMAIN':
        return isNode(fields.arg) ? this.truth(fields.arg, place) : ANYTHING;
      case 'VAR':
        return TRUE | FALSE | this.#orUnknown(this.value(node, place));
      case 'FUNCEXPR':
        // The linter trusts a function of the row that reads the tenant, or that takes the tenant. Without a value of the
        // row, its result is the same for every row.
        return (this.#isTrusted(fields.funcid) &&
          (columnsIn(node).length > 0 || this.#isStaff(this.#readBy(fields.funcid)))) ||
          (this.#facts.trust.expressions && this.#relatesTenant(node, place))
          ? FALSE | UNKNOWN
          : ANYTHING;
      default:
        return ANYTHING;
    }
  }

  value(node: Value | undefined, place: Place): AbstractValue {
    if (!isNode(node)) return 'unknown';
    const { kind, fields } = node;
    const [first] = nodes(fields.args);
    switch (kind) {
      case 'CONST':
        return fields.constisnull === 'true' ? 'null' : `constant ${fields.consttype} ${fields.constvalue}`;
      case 'VAR': {
        const level = place.depth - Number(fields.varlevelsup);
        if (place.ofFunctions.includes(`${level} ${fields.varno}`)) return this.#tenantValue;
        return `column ${level} ${fields.varno} ${fields.varattno}`;
      }
      case 'PARAM':
        return place.selected[Number(fields.paramid) - 1] ?? 'unknown';
      case 'RELABELTYPE':
      case 'COERCEVIAIO':
      case 'COERCETODOMAIN':
        return this.value(fields.arg, place);
      case 'NULLIFEXPR': {
        const known = this.value(first, place);
        return /^(tenant|member|null)$/.test(known) ? known : 'unknown';
      }
      case 'FUNCEXPR': {
        const called = this.#facts.functions.get(String(fields.funcid));
        const read = called?.name === 'current_setting' ? identitySetting(first, this.#facts) : undefined;
        const identities = read ? [read] : called?.isValue ? called.identities : [];
        const [identity] = identities;
        if (identity) return identities.length === 1 ? this.#identityOf(identity) : 'unknown';
        return this.#isTrusted(fields.funcid) ? this.#tenantValue : 'unknown';
      }
      case 'OPEXPR': {
        // A claim, if the setting holds JSON.
        if (!/^(->>?|#>>?)$/.test(this.#operator(fields))) return 'unknown';
        const [document, key] = nodes(fields.args);
        const path = pathOf(key);
        if (path === undefined) return 'unknown';
        const of = this.value(document, place);
        return of === 'null' || (of === 'tenant' && isClaimOfTenant(path, this.#facts)) ? of : 'unknown';
      }
      case 'COALESCEEXPR': {
        const known = nodes(fields.args).map((one) => this.value(one, place));
        const some = known.find((one) => one !== 'null') ?? 'null';
        return some === 'null' || this.#isNeverNull(some) || some === known.at(-1) ? some : 'unknown';
      }
      case 'SUBLINK':
        if (node === this.#facts.assumed) return 'unknown';
        if (fields.subLinkType === '4' && this.#isEmpty(node, place)) return 'null';
        // (select …), or an element of array(select …).
        return /^[46]$/.test(String(fields.subLinkType)) ? (this.#selected(node, place)[0] ?? 'unknown') : 'unknown';
      default:
        return 'unknown';
    }
  }

  /** Whether a condition restricts rows to the identity of the other kind alone. */
  #isOfMember(condition: Node) {
    const read = new Set(descendants(condition).flatMap((node) => identitiesOf(node, this.#facts)));
    return read.size > 0 && !read.has(this.#kind);
  }

  /**
   * Finds the values in the rows of a subquery that belong to the tenant: keys of the tenant's rows, the targets of
   * their foreign keys, and values equal to one of these. Without a join to the tenant's rows, a row can belong to
   * anyone.
   */
  #tenantValues({ conditions, tables }: QueryParts, place: Place): (value: AbstractValue) => boolean {
    const column = (known: string) => /^column (\d+) (\d+) (\d+)$/.exec(known) ?? [];
    const tableOf = (known: string) => {
      const [, level, number] = column(known);
      return Number(level) === place.depth ? Number(number) : undefined;
    };
    const keyOf = (known: string) => `${tables[(tableOf(known) ?? 0) - 1]}.${column(known)[3]}`;
    const equalities = conditions.map((one) => {
      const sides = this.equated(one);
      const known = sides.map((side) => this.value(side, place));
      const isCertain =
        known.some((side) => /^(tenant|member)$/.test(side)) ||
        sides.every((side, index) => isPlain(side, known[index]));
      return isCertain ? known.filter((side) => !/^(unknown|null)$/.test(side)) : [];
    });
    const direct = new Map<number, Ownership>();
    for (const one of conditions) {
      const inside = columnsIn(one).filter(({ up }) => up < place.depth);
      const [first] = inside;
      if (!first || inside.some(({ up, table }) => up !== 0 || table !== first.table)) continue;
      if (this.truth(one, place) & TRUE) continue;
      const isByKey = inside.every(({ table, attnum }) => this.#facts.unique.has(`${tables[table - 1]}.${attnum}`));
      const ofRows = isByKey ? 'determined' : 'child';
      const ownership = readsRows(one) ? ofRows : this.#isOfMember(one) ? 'membership' : 'own';
      if (direct.get(first.table) !== 'own') direct.set(first.table, ownership);
    }
    return followJoins(equalities, { tenant: 'tenant', member: 'member' }, direct, {
      tableOf,
      isUnique: (known) => this.#facts.unique.has(keyOf(known)),
      isReference: (known) => {
        const of = this.#facts.identifying.get(keyOf(known));
        return of === this.#kind || (of !== undefined && this.#situation === 'own row');
      },
    }) as (value: AbstractValue) => boolean;
  }

  /** The abstract values of the columns of a subquery. They are the tenant's if it selects only rows of the tenant. */
  #selected(sublink: Node, place: Place): AbstractValue[] {
    const parts = queryParts(sublink);
    const known = this.#ofColumns(parts, this.#enter(place, parts));
    return this.#isTrustedQuery(sublink, parts)
      ? parts.targets.map((_, index) =>
          /^(tenant|null)$/.test(known[index] ?? '') ? (known[index] as AbstractValue) : this.#tenantValue,
        )
      : known;
  }

  #ofColumns(parts: QueryParts, inside: Place): AbstractValue[] {
    const { targets, conditions, fromRows, understood } = parts;
    if (!understood) return [];
    const values = targets.map((target) => this.value(target, inside));
    if (!fromRows && conditions.length === 0) return values;
    if (and(conditions.map((one) => this.truth(one, inside))) & TRUE)
      return values.map((one) => (one === this.#tenantValue ? one : 'unknown'));
    if (this.#isNobody) return targets.map(() => 'null');
    const isOfTenant = this.#tenantValues(parts, inside);
    return targets.map((target, index) => {
      const known = values[index] as AbstractValue;
      return isPlain(target, known) && isOfTenant(known) ? 'of the tenant' : 'unknown';
    });
  }

  /** Whether a subquery selects only rows that belong to the tenant of the outer row. */
  #followsRow(parts: QueryParts, place: Place): boolean {
    const isOfTenant = this.#tenantValues(parts, place);
    return parts.conditions.some((one) => {
      const sides = this.equated(one);
      const isOutside = ({ kind, fields }: Node) => kind === 'VAR' && fields.varlevelsup !== '0';
      return sides.some(isOutside) && sides.some((side) => isPlain(side) && isOfTenant(this.value(side, place)));
    });
  }

  /** Whether a subquery that reads rows certainly finds none, so its value is null. */
  #isEmpty(sublink: Node, place: Place): boolean {
    const parts = queryParts(sublink);
    return parts.fromRows && parts.understood && !(this.#exists(parts, this.#enter(place, parts)) & TRUE);
  }

  #subquery(sublink: Node, place: Place): number {
    if (sublink === this.#facts.assumed) return ANYTHING;
    const parts = queryParts(sublink);
    const found = this.#ofSubquery(sublink, parts, place);
    const isTrusted = this.#isTrustedQuery(sublink, parts) && this.#isAboutRow(sublink);
    const isOfStaff = this.#isStaff(parts.tables) && readsTenant(sublink, this.#facts);
    return isTrusted || isOfStaff ? found & ~TRUE || FALSE : found;
  }

  #ofSubquery(sublink: Node, parts: QueryParts, place: Place): number {
    const { targets, conditions, fromRows, understood } = parts;
    const inside = this.#enter(place, parts);
    const [target] = targets;
    switch (sublink.fields.subLinkType) {
      case '0':
        return understood ? this.#exists(parts, inside) : TRUE | FALSE;
      // x = any (select …), x in (select …)
      case '2': {
        const { testexpr } = sublink.fields;
        if (!isNode(testexpr)) return ANYTHING;
        const found = this.truth(testexpr, { ...place, selected: this.#selected(sublink, place) });
        // Without rows, `in` is false, even for null.
        if (!fromRows && conditions.length === 0) return found;
        const [left, right] = this.equated(testexpr);
        if (!understood || !left || !target || !/^(PARAM|RELABELTYPE)$/.test(right?.kind ?? '')) return found | FALSE;
        // Equivalent to `exists` with the comparison as a condition.
        const equal = { ...testexpr, fields: { ...testexpr.fields, args: [nestOneLevel(left), target] } };
        const existing = this.#exists({ ...parts, conditions: [...conditions, equal] }, inside);
        return (found | FALSE) & (existing & FALSE ? existing | UNKNOWN : existing);
      }
      // (select …)
      case '4':
        if (this.#isEmpty(sublink, place)) return UNKNOWN;
        if (!understood || !target || fromRows || conditions.length > 0) return ANYTHING;
        return this.truth(target, inside);
      default:
        return ANYTHING;
    }
  }

  /** Whether a subquery finds rows. */
  #exists(parts: QueryParts, inside: Place): number {
    const { conditions, fromRows } = parts;
    const found = and(conditions.map((one) => this.truth(one, inside)));
    if (!fromRows) return (found & TRUE) | (found & ~TRUE ? FALSE : 0);
    if (found & TRUE) return TRUE | FALSE;
    // Without a row for which the conditions on the policy's row alone are true, the subquery finds no rows.
    const isOfRow = (one: Node) => columnsIn(one).every(({ up }) => up >= inside.depth);
    if (!(and(conditions.filter(isOfRow).map((one) => this.truth(one, inside))) & TRUE)) return FALSE;
    return !this.#isNobody && !this.#followsRow(parts, inside) ? TRUE | FALSE : FALSE;
  }

  /** Both sides of an equality, or nothing for other nodes. */
  equated({ kind, fields }: Node) {
    return kind === 'OPEXPR' && this.#operator(fields) === '=' ? nodes(fields.args) : [];
  }

  #operator(fields: Node['fields']) {
    return this.#facts.operators.get(String(fields.opno)) ?? '';
  }

  #compare(name: string, left: AbstractValue, right: AbstractValue): number {
    if (!/^(=|<>|<|>|<=|>=)$/.test(name)) return ANYTHING;
    if (left === 'null' || right === 'null') return UNKNOWN;
    if (left === 'unknown' || right === 'unknown') return ANYTHING;
    const none = this.#orUnknown(left, right);
    if (left === right && left !== 'of the tenant') return (name.includes('=') ? TRUE : FALSE) | none;
    const [first, second] = [left.split(' '), right.split(' ')].sort() as [string[], string[]];
    const differ =
      (first[0] === 'column' && this.#isForeign(first, second[0] as string)) ||
      (first[0] === 'constant' && second[0] === 'constant' && first[1] === second[1]);
    if (differ && (name === '=' || name === '<>')) return (name === '=' ? FALSE : TRUE) | none;
    return TRUE | FALSE | none;
  }

  /** Whether a column certainly differs from a value: in a foreign row, or because a subquery selects only own rows. */
  #isForeign([, depth, , attnum]: string[], other: string) {
    if (depth !== '0') return /^(tenant|of|member)$/.test(other);
    if (other === 'of') return true;
    if (this.#situation === 'own row') return false;
    const owner = this.#facts.owners.get(this.#table);
    if (other === 'member')
      return attnum === String(owner?.member) || this.#facts.shared.has(`${this.#table}.${attnum}`);
    if (other !== 'tenant') return false;
    if (!owner || (this.#kind === 'user' && this.#situation !== 'foreign owner')) return true;
    return (
      [owner.attnum, ...(owner.others ?? [])].some((one) => attnum === String(one)) ||
      (this.#situation === 'foreign owner' && this.#facts.shared.has(`${this.#table}.${attnum}`))
    );
  }
}

/** Whether an expression is an unmodified column or no column at all, so an equality applies to the value itself. */
function isPlain({ kind, fields }: Node, known = 'column'): boolean {
  if (!known.startsWith('column')) return true;
  return kind === 'VAR' || (kind === 'RELABELTYPE' && isNode(fields.arg) && isPlain(fields.arg));
}

/** The key of a claim, or the keys of its path joined by commas. Undefined if a key is computed. */
function pathOf(key: Node | undefined): string | undefined {
  if (key?.kind !== 'ARRAYEXPR') return key?.kind === 'CONST' ? textOf(key) : constantOf(key);
  const keys = nodes(key.fields.elements).map(constantOf);
  return keys.every((one) => one !== undefined) ? keys.join(',') : undefined;
}

/** Inserts the value of `case value when …` into the condition of a branch. */
function withCaseValue(condition: Node, given: Node): Node {
  const replace = (found: Value): Value => {
    if (Array.isArray(found)) return found.map(replace);
    if (!isNode(found)) return found;
    if (found.kind === 'CASETESTEXPR') return given;
    const fields = Object.fromEntries(Object.entries(found.fields).map(([name, one]) => [name, replace(one)]));
    return { kind: found.kind, fields };
  };
  return replace(condition) as Node;
}

/** Whether an expression selects from tables. */
function readsRows(expression: Node): boolean {
  return descendants(expression).some((node) => node.kind === 'SUBLINK' && queryParts(node).fromRows);
}
