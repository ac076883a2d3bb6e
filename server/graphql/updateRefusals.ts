import type { Introspection } from 'postgraphile/graphile-build-pg/pg-introspection';

type PgPolicy = Introspection['policies'][number];

/** The reason for which policies refuse a change: they hide the new row, or a column's value fails a check. */
type Refusal =
  | { readonly why: 'hidden' }
  | {
      readonly why: 'value' | 'reference' | 'either';
      readonly schema: string;
      readonly table: string;
      readonly column?: string;
    };

/** The columns of a table that an expression reads, directly and in subqueries. */
interface Columns {
  readonly direct: ReadonlySet<string>;
  readonly nested: ReadonlySet<string>;
}

interface TablePolicies {
  /** The checks of the UPDATE policies on the new row. `isStricter` marks a check that differs from the old row's condition. */
  readonly checks: readonly (Columns & { readonly isStricter: boolean })[];
  /** The columns in the SELECT policies, which decide whether a row is visible. */
  readonly visible: readonly Columns[];
}

/** Explains why policies refused an update. The policies are read with the schema. */
export interface UpdateRefusals {
  readonly plugin: GraphileConfig.Plugin;
  /** Returns the reason for which Postgres refused the update; `undefined` if several reasons are possible. */
  explain(statement: string): Refusal | undefined;
}

const updated =
  /^(?:with item .*?\n)?update "((?:[^"]|"")+)"\."((?:[^"]|"")+)".*?\sset\s(.*?)(?:\swhere\s|\sfrom item\s|$)/s;

/**
 * Reads the policies. Postgres reports only that the new row violates a policy. The old row was visible and updatable.
 * So policies can refuse the new row only because of a column that the update sets, unless a trigger sets others.
 */
export function readUpdateRefusals(): UpdateRefusals {
  const tables = new Map<string, TablePolicies>();
  return {
    plugin: {
      name: 'UpdateRefusalsPlugin',
      version: '1.0.0',
      gather: {
        hooks: {
          pgIntrospection_introspection(_info: unknown, { introspection }: { introspection: Introspection }) {
            tables.clear();
            const tenant = introspection.roles.find(({ rolname }) => rolname === 'hedgerow_tenant')?._id;
            const ofTenants = introspection.policies.filter(({ polroles }) =>
              polroles?.some((role) => role === '0' || role === tenant),
            );
            const policies = Map.groupBy(ofTenants, ({ polrelid }) => polrelid);
            for (const { _id, relname, relnamespace } of introspection.classes) {
              const own = policies.get(_id);
              const schema = introspection.namespaces.find((one) => one._id === relnamespace)?.nspname;
              if (own && schema)
                tables.set(JSON.stringify([schema, relname]), read(own, columnNames(introspection, _id)));
            }
          },
        },
      } as unknown as NonNullable<GraphileConfig.Plugin['gather']>,
    },
    explain(statement) {
      const [, schema = '', table = '', assignments = ''] = updated.exec(statement)?.map(unquote) ?? [];
      const policies = tables.get(JSON.stringify([schema, table]));
      if (!policies) return undefined;
      const set = [...assignments.matchAll(/(?:^|,\s*)"((?:[^"]|"")+)" = /g)].map(([, name = '']) => unquote(name));
      return explain(policies, set, { schema, table });
    },
  };
}

function explain(
  { checks, visible }: TablePolicies,
  set: readonly string[],
  names: { readonly schema: string; readonly table: string },
): Refusal | undefined {
  const among = (columns: ReadonlySet<string>) => set.filter((name) => columns.has(name));
  const direct = new Set(checks.flatMap((check) => among(check.direct)));
  const nested = new Set(checks.flatMap((check) => among(check.nested)));
  const checkMayFail = checks.some(({ isStricter }) => isStricter) || direct.size + nested.size > 0;
  const mayHide = visible.some((one) => among(one.direct).length + among(one.nested).length > 0);
  if (mayHide) return checkMayFail ? undefined : { why: 'hidden' };
  if (!checkMayFail) return undefined;
  // A check that is stricter than the condition of the old row may refuse any new row.
  if (checks.some(({ isStricter }) => isStricter)) return { why: 'either', ...names };
  const [column, ...others] = new Set([...direct, ...nested]);
  const why = nested.size === 0 ? 'value' : direct.size === 0 ? 'reference' : 'either';
  return { why, ...names, ...(column !== undefined && others.length === 0 && { column }) };
}

function read(policies: readonly PgPolicy[], names: ReadonlyMap<number, string>): TablePolicies {
  const of = (command: string) => policies.filter(({ polcmd }) => polcmd === command || polcmd === '*');
  return {
    checks: of('w').map(({ polqual, polwithcheck }) => ({
      ...columnsOf(polwithcheck ?? polqual ?? '', names),
      isStricter: polwithcheck !== null && withoutPlaces(polwithcheck) !== withoutPlaces(polqual ?? ''),
    })),
    visible: of('r').map(({ polqual }) => columnsOf(polqual ?? '', names)),
  };
}

/** Removes source positions from an expression, so that equal expressions compare equal. */
const withoutPlaces = (tree: string) => tree.replace(/ :(location|stmt_location|stmt_len) -?\d+/g, '');

function columnNames({ attributes }: Introspection, table: string): Map<number, string> {
  return new Map(
    attributes.flatMap(({ attrelid, attnum, attname }) => (attrelid === table ? [[attnum, attname]] : [])),
  );
}

/** Finds the table's columns in a pg_node_tree. A VAR belongs to the table if its level is the outermost query. */
function columnsOf(tree: string, names: ReadonlyMap<number, string>): Columns {
  const direct = new Set<string>();
  const nested = new Set<string>();
  const open: { kind: string; fields: Map<string, number> }[] = [];
  for (const [token, kind, field, value] of tree.matchAll(
    /\\[\s\S]|\{(\w+)|\}|:(varno|varattno|varlevelsup) (-?\d+)/g,
  )) {
    if (kind !== undefined) open.push({ kind, fields: new Map() });
    else if (field !== undefined) open.at(-1)?.fields.set(field, Number(value));
    else if (token === '}') {
      const closed = open.pop();
      if (closed?.kind !== 'VAR') continue;
      const depth = open.filter((one) => one.kind === 'QUERY').length;
      if (closed.fields.get('varno') !== 1 || closed.fields.get('varlevelsup') !== depth) continue;
      const attribute = closed.fields.get('varattno') ?? 0;
      const columns = depth === 0 ? direct : nested;
      // Attribute 0 is the whole row.
      for (const [number, name] of names) if (attribute === 0 || attribute === number) columns.add(name);
    }
  }
  return { direct, nested };
}

function unquote(name: string): string {
  return name.replaceAll('""', '"');
}
