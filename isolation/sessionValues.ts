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
  const sentences = new Map<string, { readonly say: (who: string) => string; readonly who: string[] }>();
  const add = (name: string, what: string, say: (who: string) => string) => {
    if (given.has(bare(name))) return;
    const before = sentences.get(name);
    sentences.set(name, { say, who: [...(before?.who ?? []), what] });
  };
  for (const { what, decides, references, isByTimeAlone } of readers) {
    if (!decides) continue;
    for (const name of references.session)
      add(
        name,
        what,
        (who) =>
          `${who} reads ${name}, which may differ between sessions: attacks are made with one value of it. Take it out, or say --fixed ${bare(name)} if all sessions of tenants have the value that the prover's has.`,
      );
    for (const [name, reason] of references.opaque)
      add(
        name,
        what,
        (who) =>
          `${who} depends on the function ${name}, which ${reason}: the catalog does not tell what it reads. Write it in SQL or PL/pgSQL without EXECUTE, or say --fixed ${name} if it reads no setting and no value of the session.`,
      );
    if (isByTimeAlone)
      add(
        time,
        what,
        (who) =>
          `${who} compares the time with nothing of a row: attacks are made at one time. Compare it with a column, or say --fixed ${time} if what it opens later is meant.`,
      );
  }
  return [...sentences.values()].map(({ say, who }) => say(nameReaders(who)));
}
