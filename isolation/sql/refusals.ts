import type { Catalog, Relation } from '../catalog.ts';
import type { Answer } from './attack.ts';

/**
 * Whether a constraint of a table refused the row. Postgres checks constraints after policies, and names the table. A
 * domain, and a function that raises the same SQLSTATE, name none; neither does a row that no partition takes, which
 * Postgres refuses before it asks the policies.
 */
export function isRefusedByConstraint({ code, refusedBy, context }: Answer): boolean {
  return code?.startsWith('23') === true && refusedBy !== undefined && functionsIn(context).length === 0;
}

/**
 * Whether a trigger raised the error that runs once the policies have let the row of `relation` through: an AFTER
 * trigger of the relation, or any trigger of another one that a foreign key reaches.
 */
export function isRaisedAfterPolicies(catalog: Catalog, relation: Relation, { code, context }: Answer): boolean {
  const outermost = functionsIn(context).at(-1);
  if (code === undefined || outermost === undefined) return false;
  const isRunning = ({ function: oid }: Relation['triggers'][number]) =>
    catalog.routines.some(
      ({ oid: own, name }) => own === oid && `.${name.replace(/\(.*$/s, '')}`.endsWith(`.${outermost}`),
    );
  const own = relation.triggers.filter(isRunning);
  if (own.length > 0)
    return own.every(({ definition }) => /^CREATE (CONSTRAINT )?TRIGGER ("[^"]*"|\S+) AFTER /.test(definition));
  return [...catalog.relations.values()].some(({ triggers }) => triggers.some(isRunning));
}

/** The functions that were running when an error was raised, the innermost first; qualified where Postgres does that. */
function functionsIn(context = ''): string[] {
  return [...context.matchAll(/^(?:PL\/\w+|SQL) function "?([^\s("]+)/gm)].map(([, name]) => name as string);
}
