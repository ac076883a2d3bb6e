import type pg from 'pg';
import { descendants, type Node, nodes } from '../postgres/nodeTree.ts';
import { readsTenant } from './identities.ts';
import { columnsOfTenant } from './outcomes.ts';
import type { Policy, PolicyFacts } from './policies.ts';
import type { TableColumn } from './scope.ts';
import { tenantTables } from './tenantTables.ts';

/** Usual names of owner columns, the last resort. */
const usualNames = ['user_id', 'owner_id', 'tenant_id', 'account_id', 'organization_id', 'organisation_id', 'org_id'];

interface Column {
  readonly oid: string;
  readonly attnum: number;
  readonly name: string;
  readonly default: string | null;
  /** The target of a single-column foreign key, as `<oid>.<attnum>`. */
  readonly refersTo: string | null;
}

/**
 * Finds the owner column of each table on which tenants have a grant. The value of an owner column identifies the
 * tenant of the row. It is the column with the most points:
 *
 * - its default is the tenant: 8;
 * - a policy for new rows compares it with the tenant: 4;
 * - it has a usual name: 3;
 * - a policy compares it with the tenant: 2;
 * - it references an owner column of another table, or the same target as such a column: 1.
 *
 * A table has no owner column if its policies read the tenant without comparing a column with it. Its rows belong to
 * several tenants, such as a team.
 *
 * @param shared the oids of tables that all tenants share.
 */
export async function findOwnerColumns(
  client: pg.ClientBase,
  facts: PolicyFacts,
  shared: ReadonlySet<string>,
): Promise<TableColumn[]> {
  const { rows } = await client.query<Column>(
    `select a.attrelid::text as oid, a.attnum, a.attname as name, pg_get_expr(d.adbin, d.adrelid) as default,
      (select format('%s.%s', k.confrelid::text, k.confkey[1]) from pg_constraint k
       where k.conrelid = a.attrelid and k.contype = 'f' and k.conkey = array[a.attnum] limit 1) as "refersTo"
     from ${tenantTables} t
     join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
     left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     order by a.attrelid, a.attnum`,
  );
  const multiTenant = multiTenantTables(facts);
  const columns = rows.filter(({ oid }) => !shared.has(oid) && !multiTenant.has(oid));
  const keysIn = (policies: readonly Policy[]) =>
    new Set(
      policies.flatMap(({ table, using, check }) =>
        [using, check].flatMap((one) =>
          one ? columnsOfTenant(one, table, facts).map((attnum) => `${table}.${attnum}`) : [],
        ),
      ),
    );
  const compared = keysIn(facts.policies);
  const written = keysIn(facts.policies.filter(({ command }) => command === 'insert' || command === 'all'));
  const tenantCalls = [...facts.functions.values()]
    .filter(({ identities, isValue }) => identities.length > 0 && isValue)
    .map(({ name }) => `${name}()`);
  const isTenant = ({ default: text }: Column) =>
    text !== null && (text.includes(`'${facts.setting}'`) || tenantCalls.some((call) => text.includes(call)));
  const certain = columns.filter((column) => compared.has(keyOf(column)) || isTenant(column));
  const identities = new Set(certain.flatMap((column) => [keyOf(column), column.refersTo ?? keyOf(column)]));
  const score = (column: Column) => {
    const points = [
      isTenant(column) ? 8 : 0,
      written.has(keyOf(column)) ? 4 : 0,
      usualNames.includes(column.name) ? 3 : 0,
      compared.has(keyOf(column)) ? 2 : 0,
      column.refersTo !== null && identities.has(column.refersTo) ? 1 : 0,
    ];
    return points.reduce((sum, one) => sum + one);
  };
  return [...Map.groupBy(columns, ({ oid }) => oid).values()].flatMap((all) => {
    const scored = all.map((column) => ({ column, points: score(column) }));
    const [best] = scored.sort((one, other) => other.points - one.points);
    return best && best.points > 0 ? [{ oid: best.column.oid, attnum: best.column.attnum }] : [];
  });
}

/** The oids of tables whose policies identify the tenant only through other tables or functions. */
function multiTenantTables(facts: PolicyFacts): ReadonlySet<string> {
  const byTable = Map.groupBy(
    facts.policies.filter(({ permissive }) => permissive),
    ({ table }) => table,
  );
  const found = [...byTable].filter(([table, policies]) => {
    const all = policies.flatMap(({ using, check }) => [using, check].filter((one) => one !== null));
    return (
      all.some((one) => readsTenant(one, facts)) &&
      all.every((one) => columnsOfTenant(one, table, facts).length === 0 && !readsList(one))
    );
  });
  return new Set(found.map(([table]) => table));
}

/** Whether a condition compares a value with the elements of a column, as in `auth.uid() = any (readers)`. */
function readsList(condition: Node): boolean {
  return descendants(condition).some(
    ({ kind, fields }) => kind === 'SCALARARRAYOPEXPR' && nodes(fields.args)[1]?.kind === 'VAR',
  );
}

const keyOf = ({ oid, attnum }: Column) => `${oid}.${attnum}`;
