import type { Catalog, Relation } from '../catalog.ts';
import type { SqlAnswer } from './sqlAttack.ts';

/**
 * Whether a table constraint refused the row. Postgres checks constraints after policies and names the table in the
 * error. Errors from domains, functions and missing partitions name no table; some of them precede the policies.
 */
export function isRefusedByConstraint({ code, refusedBy, context }: SqlAnswer): boolean {
  return code?.startsWith('23') === true && refusedBy !== undefined && functionsIn(context).length === 0;
}

/**
 * Whether the error comes from a trigger that runs after the policies have accepted the row of `relation`: an AFTER
 * trigger of the relation, or any trigger of another relation.
 */
export function isRaisedAfterPolicies(catalog: Catalog, relation: Relation, { code, context }: SqlAnswer): boolean {
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

/** The functions that were running when the error occurred, innermost first. */
function functionsIn(context = ''): string[] {
  return [...context.matchAll(/^(?:PL\/\w+|SQL) function "?([^\s("]+)/gm)].map(([, name]) => name as string);
}

/** Errors that A gets on its own rows: the SQLSTATE, and for 42501 also the message. */
export type OwnerErrors = ReadonlySet<string>;

/** The error of a control and, if the catalog explains it, the reason. */
interface FailedControl {
  readonly error?: { readonly code: string; readonly message: string };
  readonly reason?: string;
}

/** The errors of controls that fail without an explanation in the catalog. */
export function ownerErrorsOf(controls: readonly FailedControl[]): OwnerErrors {
  return new Set(controls.flatMap(({ error, reason }) => (error && !reason ? [keyOf(error)] : [])));
}

/** Whether A gets this error, too. Such an error does not depend on the tenant and reveals nothing about A. */
export function isOwnerError(ownerErrors: OwnerErrors, { code, message = '' }: SqlAnswer): boolean {
  return code !== undefined && ownerErrors.has(keyOf({ code, message }));
}

/** Every policy refuses with 42501, so only the message distinguishes the reasons. */
function keyOf({ code, message }: { code: string; message: string }): string {
  return code === '42501' ? `${code} ${message}` : code;
}
