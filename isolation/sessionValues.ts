import type { Catalog } from './catalog.ts';
import { nameReaders, type Reader } from './readers.ts';

/** The name of the current time in `--fixed`. */
const time = 'time';

/** The name of a value or function in `--fixed`. */
const bare = (name: string) => name.replace(/\(\)$/, '').toLowerCase();

/**
 * Finds session values, and functions that may read session values, that decide which rows a tenant reaches. The
 * attacks use only one value of each, so the run proves nothing. Values that `--fixed` names are left out.
 *
 * @returns one sentence per value or function.
 */
export function whySessionMatters({ fixed = [] }: Pick<Catalog, 'fixed'>, readers: readonly Reader[]): string[] {
  const given = new Set(fixed.map(bare));
  const sentences = new Map<string, { readonly describe: (who: string) => string; readonly who: string[] }>();
  const add = (name: string, what: string, describe: (who: string) => string) => {
    if (given.has(bare(name))) return;
    const before = sentences.get(name);
    sentences.set(name, { describe, who: [...(before?.who ?? []), what] });
  };
  for (const { what, decides, references, isByTimeAlone } of readers) {
    if (!decides) continue;
    for (const name of references.session)
      add(
        name,
        what,
        (who) =>
          `${who} reads ${name}, which may differ between sessions, and the attacks use only one value. Remove it, or pass --fixed ${bare(name)} if all tenant sessions have the prover's value.`,
      );
    for (const [name, reason] of references.opaque)
      add(
        name,
        what,
        (who) =>
          `${who} depends on the function ${name}, which ${reason}, so the catalog does not show what it reads. Write it in SQL or PL/pgSQL without EXECUTE, or pass --fixed ${name} if it reads no setting and no session value.`,
      );
    if (isByTimeAlone)
      add(
        time,
        what,
        (who) =>
          `${who} compares the time with no column, and all attacks run at about the same time. Compare the time with a column, or pass --fixed ${time} if tenants are meant to see more rows later.`,
      );
  }
  return [...sentences.values()].map(({ describe, who }) => describe(nameReaders(who)));
}
