import type pg from 'pg';
import type { Catalog, Policy, Relation } from '../catalog.ts';
import { escapeRegExp, hasWord } from '../text.ts';
import { inSavepoint } from './checks.ts';

/** A condition of a policy or view on one row of a table. */
export interface Condition {
  /** A name for display: `policy read_own of app_public.notes`. */
  readonly what: string;
  /** The table whose name and columns the expression uses: the row's table or one of its parents. */
  readonly relation: Relation;
  readonly expression: string;
  /** The expression and the functions that it calls, to search for literals and columns. */
  readonly text: string;
  /** Whether it is evaluated in the tenants' role. Otherwise it bypasses row-level security, like a view's owner. */
  readonly asTenant: boolean;
  /** Whether it filters existing rows or checks written rows. */
  readonly on: 'rows' | 'writes';
}

/** The conditions of policies and views on the rows of a table and its parent tables. */
export async function conditionsOf(client: pg.ClientBase, catalog: Catalog, table: Relation): Promise<Condition[]> {
  const found: Condition[] = [];
  for (const relation of lineage(catalog, table)) {
    found.push(...policyConditions(catalog, relation));
    for (const view of catalog.views) {
      if (!view.columns.some(({ select }) => select) || view.options.includes('security_invoker=true')) continue;
      const expression = await viewCondition(client, catalog, view, relation);
      if (expression) {
        found.push({
          what: `view ${view.name}`,
          relation,
          expression,
          asTenant: false,
          on: 'rows',
          text: withFunctions(catalog, withGenerated(relation, expression)),
        });
      }
    }
  }
  return [...new Map(found.map((one) => [`${one.on} ${one.expression}`, one])).values()];
}

/** The sources of the table's triggers and of executable functions that name the table. */
export function sourcesOf(catalog: Catalog, table: Relation): { what: string; text: string }[] {
  const names = lineage(catalog, table).map(({ relname }) => relname);
  const triggers = lineage(catalog, table).flatMap((relation) => relation.triggers);
  return catalog.routines.flatMap((routine) => {
    const trigger = triggers.find(({ function: oid }) => oid === routine.oid);
    const text = withFunctions(catalog, routine.source);
    if (trigger) return { what: `trigger ${trigger.name}`, text: `${trigger.definition} ${text}` };
    return routine.executable && names.some((name) => hasWord(text, name))
      ? { what: `function ${routine.name}`, text }
      : [];
  });
}

/** The table and its parent tables. */
function lineage({ relations }: Catalog, table: Relation): Relation[] {
  const parent = table.parent === null ? undefined : relations.get(table.parent);
  return [table, ...(parent ? lineage({ relations } as Catalog, parent) : [])];
}

const commands = ['select', 'insert', 'update', 'delete'] as const;

function policyConditions(catalog: Catalog, relation: Relation): Condition[] {
  const applicable = relation.policies.filter(({ applies }) => applies);
  const of = (command: (typeof commands)[number], permissive: boolean) =>
    applicable.filter((policy) => policy.permissive === permissive && [command, 'all'].includes(policy.command));
  return commands.flatMap((command) => {
    const sides = [
      ...(command === 'insert' ? [] : [{ on: 'rows' as const, side: ({ using }: Policy) => using }]),
      ...(command === 'insert' || command === 'update'
        ? [{ on: 'writes' as const, side: ({ using, check }: Policy) => check ?? using }]
        : []),
    ];
    return sides.flatMap(({ on, side }) => {
      const limits = of(command, false).flatMap((policy) => side(policy) ?? []);
      return of(command, true).flatMap((policy) => {
        const own = side(policy);
        if (own === null) return [];
        const expression = [own, ...limits].map((one) => `(${one})`).join(' and ');
        return {
          what: `policy ${policy.name} of ${relation.name}`,
          relation,
          expression,
          asTenant: true,
          on,
          text: withFunctions(catalog, withGenerated(relation, expression)),
        };
      });
    });
  });
}

/**
 * An expression that is true if the row changes the view's result. The view's query runs once with a table that holds
 * only this row, and once with an empty table.
 */
async function viewCondition(
  client: pg.ClientBase,
  { relations }: Catalog,
  view: Relation,
  table: Relation,
): Promise<string | undefined> {
  const read = new Map<number, Relation>();
  const walk = (relation: Relation): void => {
    for (const oid of relation.reads) {
      const next = relations.get(oid);
      if (!next || read.has(oid)) continue;
      if (next.kind.includes('view')) walk(next);
      read.set(oid, next);
    }
  };
  walk(view);
  if (!read.has(table.oid)) return undefined;
  const schemas = [...new Set([table, view, ...read.values()].map(({ schema }) => client.escapeIdentifier(schema)))];
  const define = async ({ oid }: Relation): Promise<string> => {
    const { rows } = await client.query<{ definition: string }>(
      `select rtrim(pg_get_viewdef($1::oid), ';') as definition from set_config('search_path', $2, true)`,
      [oid, schemas.join(', ')],
    );
    return rows[0]?.definition as string;
  };
  const path = await client.query("select current_setting('search_path') as path");
  const id = (relation: Relation) => client.escapeIdentifier(relation.relname);
  const text = await inSavepoint(client, async () => {
    const views: string[] = [];
    for (const inner of read.values())
      if (inner.kind.includes('view')) views.push(`, ${id(inner)} as (${await define(inner)})`);
    const query = await define(view);
    const columns = table.columns.map(({ name }) => `${id(table)}.${client.escapeIdentifier(name)}`).join(', ');
    const answer = (there: string) =>
      `array(with ${id(table)} as (select ${columns} where ${there})${views.join('')} select v::text from (${query}) v)`;
    return `${answer('true')} is distinct from ${answer('false')}`;
  });
  await client.query("select set_config('search_path', $1, true)", [path.rows[0].path]);
  return text && `/* ${schemas.join(', ')} */ ${text}`;
}

/** The search_path, besides pg_catalog, in which a condition's names resolve. */
export const schemasOf = ({ expression }: Condition) => /^\/\* (.*?) \*\//.exec(expression)?.[1] ?? '';

/** Appends the expressions of the generated columns that a text mentions. */
const withGenerated = ({ columns }: Relation, text: string): string =>
  [text, ...columns.flatMap(({ name, generation }) => (generation && hasWord(text, name) ? [generation] : []))].join(
    ';\n',
  );

/** Appends the bodies of the functions that a text calls, directly or indirectly. */
function withFunctions({ routines }: Catalog, text: string): string {
  const called = new Set<string>();
  for (let all = text, before = -1; before < called.size; ) {
    before = called.size;
    for (const { sql, source, readsSetting, arguments: args } of routines) {
      if (readsSetting && args.length === 0) continue;
      if (new RegExp(`(?<!\\w)${escapeRegExp(sql.slice(sql.lastIndexOf('.') + 1))}\\(`).test(all)) called.add(source);
    }
    all = [text, ...called].join('\n');
  }
  return [text, ...called].join('\n');
}
