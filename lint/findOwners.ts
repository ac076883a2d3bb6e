import type pg from 'pg';
import { columnsOfTenant, readsTenant } from './outcomes.ts';
import type { PolicyFacts } from './policies.ts';
import type { OwnerColumn } from './scope.ts';
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
 * tenant of the row. The first match of this list is the owner column:
 *
 * 1. the column that a policy compares with the tenant;
 * 2. the column whose default is the tenant;
 * 3. the column that references an owner column of another table, or the same target as such a column;
 * 4. a column with a usual name.
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
): Promise<OwnerColumn[]> {
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
  const compared = new Set(
    facts.policies.flatMap(({ table, using, check }) =>
      [using, check].flatMap((one) =>
        one ? columnsOfTenant(one, table, facts).map((attnum) => `${table}.${attnum}`) : [],
      ),
    ),
  );
  const tenantCalls = [...facts.functions.values()]
    .filter(({ identities, isValue }) => identities.length > 0 && isValue)
    .map(({ name }) => `${name}()`);
  const isTenant = ({ default: text }: Column) =>
    text !== null && (text.includes(`'${facts.setting}'`) || tenantCalls.some((call) => text.includes(call)));
  const certain = columns.filter((column) => compared.has(keyOf(column)) || isTenant(column));
  const identities = new Set(certain.flatMap((column) => [keyOf(column), column.refersTo ?? keyOf(column)]));
  const rank = (column: Column) => {
    if (compared.has(keyOf(column))) return 1;
    if (isTenant(column)) return 2;
    if (column.refersTo !== null && identities.has(column.refersTo)) return 3;
    return usualNames.includes(column.name) ? 4 : undefined;
  };
  return [...Map.groupBy(columns, ({ oid }) => oid).values()].flatMap((all) => {
    const ranked = all.flatMap((column) => ({ column, rank: rank(column) ?? Number.POSITIVE_INFINITY }));
    const [best] = ranked.sort((one, other) => one.rank - other.rank);
    if (!best || best.rank === Number.POSITIVE_INFINITY) return [];
    return [{ oid: best.column.oid, attnum: best.column.attnum }];
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
      all.some((one) => readsTenant(one, facts)) && all.every((one) => columnsOfTenant(one, table, facts).length === 0)
    );
  });
  return new Set(found.map(([table]) => table));
}

const keyOf = ({ oid, attnum }: Column) => `${oid}.${attnum}`;
