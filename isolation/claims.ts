import type { Catalog } from './catalog.ts';
import { documentOf } from './identity.ts';
import { nameReaders, type Reader } from './readers.ts';

/** Claims that users of Supabase can change themselves. */
const writtenByUsers = /^(raw_)?user_meta_?data$/;

/**
 * Finds claims in JSON settings that decide which rows a tenant reaches and that the setting's value does not define. A
 * template defines the claims that it contains; null marks a claim without a value.
 *
 * @returns one sentence per claim.
 */
export function whyClaimsMatter(catalog: Catalog, readers: readonly Reader[]): string[] {
  const { setting, template, set = {}, fixed = [] } = catalog;
  const given = new Set(fixed.map((name) => name.toLowerCase()));
  const documents = new Map(
    [[setting, template ?? ''] as const, ...Object.entries(set)].flatMap(([name, text]) => {
      const document = documentOf(text);
      return document === undefined ? [] : [[name.toLowerCase(), document] as const];
    }),
  );
  const sentences = new Map<string, { readonly describe: (who: string) => string; readonly who: Set<string> }>();
  for (const { what, decides, references } of readers) {
    // Row-level security still applies to a function that runs as its caller.
    if (!decides && what.startsWith('function ')) continue;
    for (const { setting: name, path } of references.values) {
      const document = documents.get(name);
      if (document === undefined) continue;
      const describe = whyNotGiven(name, path, document, given, name === setting.toLowerCase());
      if (describe === undefined) continue;
      const key = describe('');
      sentences.set(key, { describe, who: (sentences.get(key)?.who ?? new Set()).add(what) });
    }
  }
  return [...sentences.values()].map(({ describe, who }) => describe(nameReaders([...who])));
}

/** Explains why the value at `path` may differ between two sessions of one tenant. */
function whyNotGiven(
  name: string,
  path: readonly string[],
  document: object,
  fixed: ReadonlySet<string>,
  isTenant: boolean,
): ((who: string) => string) | undefined {
  const claim = path.join('.');
  const users = path.find((key) => writtenByUsers.test(key));
  if (users !== undefined && !fixed.has(users))
    return (who) =>
      `${who} reads the claim ${claim} of ${name}, and users write ${users} themselves. Read a claim that only the server writes, such as app_metadata, or pass --fixed ${users} if users cannot change it.`;
  const option = isTenant ? '--setting-template' : `--set ${name}`;
  let value: unknown = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    if (!Object.hasOwn(value, key))
      return (who) =>
        `${who} reads the claim ${claim} of ${name}, which ${option} does not give. Add the claim there with a value; null leaves it unset.`;
    value = (value as Record<string, unknown>)[key];
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || fixed.has(name)) return undefined;
  return (who) =>
    `${who} reads ${path.length > 0 ? `the claim ${claim} of ${name}` : name} as a whole or by a computed key, so the catalog does not show which claims decide. Read each with ->> and a literal key, or pass --fixed ${name} if all sessions of a tenant have exactly the claims of ${option}.`;
}

/** The names of the claims that a document sets to null. */
export function unsetClaims(document: object, above = ''): string[] {
  return Object.entries(document).flatMap(([key, value]: [string, unknown]) =>
    value === null
      ? [`${above}${key}`]
      : typeof value === 'object' && !Array.isArray(value)
        ? unsetClaims(value, `${above}${key}.`)
        : [],
  );
}
