import type { Kind } from '../mutant.ts';

/** A view reads its tables as its owner, not as the role that queries it. */
export const viewAsOwner: Kind = function* ({ catalog }) {
  for (const view of catalog.views) {
    if (!view.options.some((option) => /^security_invoker=(true|on|1|yes)$/.test(option))) continue;
    yield {
      object: view.name,
      description: `The view ${view.name} reads as its owner ${view.owner}, not as the role that queries it.`,
      sql: `alter view ${view.sql} set (security_invoker = false)`,
      relations: [view.oid],
    };
  }
};
