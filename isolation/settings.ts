import type pg from 'pg';
import { type Catalog, isReachable, type Relation } from './catalog.ts';
import { bareName } from './text.ts';

/** A setting beside the tenant's own that decides what a tenant sees or does. */
export interface SettingRead {
  /** Undefined where the name is computed while the statement runs. */
  readonly name: string | undefined;
  /** The policies, views, functions and defaults that read it. */
  readonly readers: readonly string[];
}

interface Text {
  readonly what: string;
  readonly text: string;
}

/**
 * Finds the settings that policies, views, triggers, defaults and functions read, and that nothing gives a value to:
 * neither the scope nor the database itself. Settings of Postgres are left out.
 *
 * @param client a connection in which no setting of the scope was set yet.
 */
export async function missingSettings(client: pg.ClientBase, catalog: Catalog): Promise<SettingRead[]> {
  const readers = new Map<string | undefined, Set<string>>();
  for (const { what, text } of [...textsOf(catalog), ...(await viewTexts(client, catalog))])
    for (const name of settingsIn(withCalled(catalog, text)))
      readers.set(name, (readers.get(name) ?? new Set()).add(what));
  const names = [...readers.keys()].filter((name) => name !== undefined);
  const { rows } = await client.query<{ name: string }>(
    `select n as name from unnest($1::text[]) n
     where coalesce(current_setting(n, true), '') <> '' or n in (select lower(name) from pg_settings)`,
    [names],
  );
  const known = new Set([
    ...rows.map(({ name }) => name),
    ...[catalog.setting, ...Object.keys(catalog.set ?? {})].map((name) => name.toLowerCase()),
  ]);
  return [...readers]
    .filter(([name]) => name === undefined || !(known.has(name) || isSupersededClaim(catalog.setting, name)))
    .map(([name, of]) => ({ name, readers: [...of] }));
}

/** One sentence for each missing setting, with what to do about it. */
export function describeMissing({ name, readers }: SettingRead): string {
  const some = `${readers.slice(0, 3).join(', ')}${readers.length > 3 ? ` and ${readers.length - 3} more` : ''}`;
  return name === undefined
    ? `${some} reads a setting whose name is computed. Give every such setting with --set name=value, and attack again with each value that matters.`
    : `The setting ${name} has no value, and ${some} reads it. Give it with --set ${name}=value; ":id" in the value is the tenant's id, an empty value leaves it unset.`;
}

/**
 * Whether the setting holds one claim in the form of PostgREST before version 9. Its successor request.jwt.claims holds
 * all of them, and a server that sets that one leaves these unset.
 */
function isSupersededClaim(setting: string, name: string): boolean {
  return setting.toLowerCase() === 'request.jwt.claims' && name.startsWith('request.jwt.claim.');
}

const call = /\bcurrent_setting\s*\(\s*(?:E?'((?:[^']|'')*)'|[^\s')])/gi;

/** The names of the settings that a text reads, in lower case. */
function settingsIn(text: string): (string | undefined)[] {
  return [...text.matchAll(call)].map(([, name]) => name?.replaceAll("''", "'").toLowerCase());
}

function textsOf(catalog: Catalog): Text[] {
  const triggered = new Map(catalog.routines.map((routine) => [routine.oid, routine]));
  const tables = catalog.tables.filter((table) => table.schema === catalog.schema || isReachable(table));
  return [
    ...tables.flatMap((table) => textsOfTable(table, (oid) => triggered.get(oid)?.source ?? '')),
    ...catalog.routines
      .filter(({ executable }) => executable)
      .map(({ name, source }) => ({ what: `function ${name}`, text: source })),
  ];
}

function textsOfTable(
  { name, policies, columns, checks, triggers }: Relation,
  sourceOf: (oid: number) => string,
): Text[] {
  return [
    ...policies
      .filter(({ applies }) => applies)
      .map((policy) => ({ what: `policy ${policy.name} on ${name}`, text: `${policy.using} ${policy.check}` })),
    ...columns.map((column) => ({
      what: `the default of ${name}.${column.name}`,
      text: column.default ?? column.generation ?? '',
    })),
    ...checks.map((check) => ({ what: `constraint ${check.name} on ${name}`, text: check.expression })),
    ...triggers.map((trigger) => ({
      what: `trigger ${trigger.name} on ${name}`,
      text: `${trigger.definition} ${sourceOf(trigger.function)}`,
    })),
  ];
}

async function viewTexts(client: pg.ClientBase, { views }: Catalog): Promise<Text[]> {
  const { rows } = await client.query<{ oid: number; text: string }>(
    'select oid::int, pg_get_viewdef(oid) as text from unnest($1::oid[]) oid',
    [views.map(({ oid }) => oid)],
  );
  return rows.map(({ oid, text }) => ({ what: `view ${views.find((view) => view.oid === oid)?.name}`, text }));
}

/** The text with the source of every function that it calls, by whatever way. */
function withCalled({ routines }: Catalog, text: string): string {
  const byName = Map.groupBy(routines, ({ sql }) => bare(sql));
  const texts = [text];
  const seen = new Set<string>();
  for (let at = 0; at < texts.length; at++) {
    for (const [, name = ''] of (texts[at] as string).matchAll(/("[^"]+"|[\w$\u0080-\uffff]+)\s*\(/g)) {
      const called = bare(name);
      if (seen.has(called)) continue;
      seen.add(called);
      texts.push(...(byName.get(called) ?? []).map(({ source }) => source));
    }
  }
  return texts.join('\n');
}

const bare = (name: string) => bareName(name).toLowerCase();
