import type { Body } from './bodies.ts';

/**
 * Finds the tables and functions that views and functions use, directly or indirectly, under the policies of the
 * caller. A function that runs as its owner counts as using nothing. A view that reads tables as its owner still calls
 * functions as its caller.
 *
 * @returns the oids of all used objects, by the oid of the view or function.
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

/** Finds functions with unconditional recursion, direct or through other functions. */
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
