import type { Body } from './bodies.ts';

/**
 * The tables and functions that views and functions use, those behind others included. What runs as its owner asks no policy
 * of tenants: of a function nothing counts then, of a view the functions, which run as its caller.
 *
 * @returns by the oid of a view or function: the oids of all that it uses.
 */
export function findUses(bodies: ReadonlyMap<string, Body>): ReadonlyMap<string, readonly string[]> {
  const direct = new Map<string, ReadonlySet<string>>();
  for (const [oid, { kind, asOwner, calls, relations }] of bodies) {
    if (asOwner && kind === 'function') continue;
    const used = [...calls, ...(asOwner ? [] : relations)].flat();
    direct.set(oid, new Set(used.filter((one) => one !== oid)));
  }
  return new Map([...direct.keys()].map((oid) => [oid, [...reach(oid, direct)]]));
}

/** The functions that call themselves, by themselves or through others, and that no condition keeps from it. */
export function findEndless(bodies: ReadonlyMap<string, Body>): ReadonlySet<string> {
  const direct = new Map<string, ReadonlySet<string>>();
  for (const [oid, { isConditional, calls }] of bodies)
    if (!isConditional) direct.set(oid, new Set(calls.flatMap((meant) => (meant.length === 1 ? meant : []))));
  return new Set([...direct.keys()].filter((oid) => reach(oid, direct).has(oid)));
}

function reach(from: string, direct: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const found = new Set<string>();
  const visit = (oid: string): void => {
    for (const used of direct.get(oid) ?? []) {
      if (found.has(used)) continue;
      found.add(used);
      visit(used);
    }
  };
  visit(from);
  return found;
}
