import type pg from 'pg';
import { tenantTables } from './facts.ts';
import { asksForTenant, columnsOfTenant } from './outcomes.ts';
import type { PolicyFacts } from './policies.ts';
import type { OwnerColumn } from './scope.ts';

/** Names that owner columns usually have, where nothing else tells. */
const usual = ['user_id', 'owner_id', 'tenant_id', 'account_id', 'organization_id', 'organisation_id', 'org_id'];

interface Column {
  readonly oid: string;
  readonly attnum: number;
  readonly name: string;
  readonly default: string | null;
  /** The column that it refers to by itself, as `<oid>.<attnum>`. */
  readonly refersTo: string | null;
}

/**
 * The owner column of each table that tenants have a grant on, whose value says which tenant a row belongs to. The first
 * of these that there is: the column that a policy compares with the tenant; the column whose default is the tenant; the
 * column that refers to what an owner column of another table is or refers to; a column with a usual name. A table whose policies
 * ask for the tenant and compare no column with it belongs to several tenants, such as a team: it has none.
 *
 * @param shared the oids of tables that belong to everybody.
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
  const ofSeveral = tablesOfSeveral(facts);
  const columns = rows.filter(({ oid }) => !shared.has(oid) && !ofSeveral.has(oid));
  const compared = new Set(
    facts.policies.flatMap(({ table, using, check }) =>
      [using, check].flatMap((one) =>
        one ? columnsOfTenant(one, table, facts).map((attnum) => `${table}.${attnum}`) : [],
      ),
    ),
  );
  const readsTenant = [...facts.functions.values()]
    .filter(({ tenant, isValue }) => tenant && isValue)
    .map(({ name }) => `${name}()`);
  const isTenant = ({ default: text }: Column) =>
    text !== null && (text.includes(`'${facts.setting}'`) || readsTenant.some((call) => text.includes(call)));
  const certain = columns.filter((column) => compared.has(keyOf(column)) || isTenant(column));
  const identities = new Set(certain.flatMap((column) => [keyOf(column), column.refersTo ?? keyOf(column)]));
  const rank = (column: Column) => {
    if (compared.has(keyOf(column))) return 1;
    if (isTenant(column)) return 2;
    if (column.refersTo !== null && identities.has(column.refersTo)) return 3;
    return usual.includes(column.name) ? 4 : undefined;
  };
  return [...Map.groupBy(columns, ({ oid }) => oid).values()].flatMap((all) => {
    const ranked = all.flatMap((column) => ({ column, rank: rank(column) ?? Number.POSITIVE_INFINITY }));
    const [best] = ranked.sort((one, other) => one.rank - other.rank);
    if (!best || best.rank === Number.POSITIVE_INFINITY) return [];
    return [{ oid: best.column.oid, attnum: best.column.attnum }];
  });
}

/** The oids of tables whose policies find the tenant by other tables or functions alone. */
function tablesOfSeveral(facts: PolicyFacts): ReadonlySet<string> {
  const byTable = Map.groupBy(
    facts.policies.filter(({ permissive }) => permissive),
    ({ table }) => table,
  );
  const found = [...byTable].filter(([table, policies]) => {
    const all = policies.flatMap(({ using, check }) => [using, check].filter((one) => one !== null));
    return (
      all.some((one) => asksForTenant(one, facts)) &&
      all.every((one) => columnsOfTenant(one, table, facts).length === 0)
    );
  });
  return new Set(found.map(([table]) => table));
}

const keyOf = ({ oid, attnum }: Column) => `${oid}.${attnum}`;
