import type pg from 'pg';
import type { Catalog } from './catalog.ts';
import { nameReaders, type Reader } from './readers.ts';

/** A setting, other than the tenant's, that decides which rows a tenant sees or changes. */
export interface SettingRead {
  /** Undefined if the name is computed at run time. */
  readonly name: string | undefined;
  /** The policies, views, functions and defaults that read it. */
  readonly readers: readonly string[];
}

/**
 * Finds the settings that policies, views, triggers, defaults and functions read, and that neither the scope nor the
 * database gives a value. Postgres settings that no session can change are left out.
 *
 * @param client a connection that has not set any of the scope's settings.
 */
export async function missingSettings(
  client: pg.ClientBase,
  catalog: Catalog,
  all: readonly Reader[],
): Promise<SettingRead[]> {
  const readers = new Map<string | undefined, string[]>();
  for (const { what, references } of all)
    for (const name of references.settings) {
      if (name !== undefined && isSupersededClaim(catalog.setting, name) && !references.superseded.has(name)) continue;
      readers.set(name, [...(readers.get(name) ?? []), what]);
    }
  const names = [...readers.keys()].filter((name) => name !== undefined);
  const { rows } = await client.query<{ name: string }>(known, [names]);
  const given = new Set([
    ...rows.map(({ name }) => name),
    ...[catalog.setting, ...Object.keys(catalog.set ?? {})].map((name) => name.toLowerCase()),
  ]);
  return [...readers]
    .filter(([name]) => name === undefined || !given.has(name))
    .map(([name, of]) => ({ name, readers: of }));
}

/**
 * Selects the names in $1 that have the same value in every session:
 *
 * - Postgres settings that only the server's configuration changes
 * - settings with a value from the database; values set for the connection's role do not count
 */
const known = `
  select n as name from unnest($1::text[]) n
  where case when exists (select from pg_settings s where lower(s.name) = n)
    then exists (
      select from pg_settings s where lower(s.name) = n and s.context in ('internal', 'postmaster', 'sighup'))
    else coalesce(current_setting(n, true), '') <> '' and n <> 'role' and not exists (
      select from pg_db_role_setting d, unnest(d.setconfig) c
      where d.setrole = to_regrole(quote_ident(session_user)) and lower(split_part(c, '=', 1)) = n)
    end`;

/** Describes a missing setting and how to give it a value. */
export function describeMissing({ name, readers }: SettingRead): string {
  const some = nameReaders(readers);
  return name === undefined
    ? `${some} reads a setting whose name is computed, so the prover cannot give it a value. Write the name as a literal.`
    : `The setting ${name} has no value, and ${some} reads it. Give it with --set ${name}=value; ":id" in the value is the tenant's id, an empty value leaves it unset.`;
}

/**
 * Whether the setting holds one claim in the format of PostgREST before version 9. A server that sets its successor,
 * request.jwt.claims, leaves these settings unset. A coalesce() of both therefore reads only the successor.
 */
function isSupersededClaim(setting: string, name: string): boolean {
  return setting.toLowerCase() === 'request.jwt.claims' && /^request\.jwt\.claim(\.|$)/.test(name);
}
