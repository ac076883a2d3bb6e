import type { Mutant, MutantTarget, MutationOperator } from './mutant.ts';
import { plainForeignKey, uniqueForAll } from './operators/constraints.ts';
import { dropConjunct, equalToUnequal, swapAndOr } from './operators/expressions.ts';
import { grantOwner, grantSequence, grantTable, ownerUnchecked } from './operators/grants.ts';
import {
  helperIgnoresNull,
  helperIgnoresSetting,
  helperIsVictim,
  helperReturnsTrue,
  securityDefiner,
} from './operators/helpers.ts';
import {
  addPolicy,
  checkTrue,
  dropCheck,
  dropPolicy,
  makePermissive,
  policyRole,
  usingTrue,
} from './operators/policies.ts';
import { disableRowSecurity, disableTrigger, unforceRowSecurity, viewAsOwner } from './operators/tables.ts';

/**
 * All mutation operators by their names in reports. Ids of mutants contain these names, and mutants come in this order.
 */
export const mutationOperators: Readonly<Record<string, MutationOperator>> = {
  'widen USING': usingTrue,
  'widen WITH CHECK': checkTrue,
  'drop WITH CHECK': dropCheck,
  'drop the policy': dropPolicy,
  'add a permissive policy': addPolicy,
  'make a restrictive policy permissive': makePermissive,
  "change the policy's role": policyRole,
  'swap AND and OR': swapAndOr,
  'turn = into <>': equalToUnequal,
  'drop a condition': dropConjunct,
  'disable row-level security': disableRowSecurity,
  'do not force it on the owner': unforceRowSecurity,
  'grant the owner column': grantOwner,
  'grant the owner column, and widen WITH CHECK': ownerUnchecked,
  'grant on the table': grantTable,
  'grant a sequence': grantSequence,
  'let the view read as its owner': viewAsOwner,
  'make the function SECURITY DEFINER': securityDefiner,
  'make the helper name another tenant': helperIsVictim,
  'make the helper take nobody for somebody': helperIgnoresNull,
  'make the helper say yes': helperReturnsTrue,
  'make the helper ignore its setting': helperIgnoresSetting,
  'drop the owner from a foreign key': plainForeignKey,
  'drop the owner from a unique key': uniqueForAll,
  'disable a trigger that refuses': disableTrigger,
};

/** All mutants of a schema, in the same order in every run. */
export function mutantsOf(target: MutantTarget): Mutant[] {
  return Object.entries(mutationOperators).flatMap(([kind, operator]) =>
    [...operator(target)].map((change) => ({ ...change, id: `${kind}: ${change.object}`, kind })),
  );
}
