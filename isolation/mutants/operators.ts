import type { Kind, Mutant, MutantTarget } from './mutant.ts';
import { addPolicy } from './operators/addPolicy.ts';
import { checkTrue } from './operators/checkTrue.ts';
import { disable } from './operators/disable.ts';
import { disableTrigger } from './operators/disableTrigger.ts';
import { dropCheck } from './operators/dropCheck.ts';
import { dropConjunct } from './operators/dropConjunct.ts';
import { dropPolicy } from './operators/dropPolicy.ts';
import { equalToUnequal } from './operators/equalToUnequal.ts';
import { grantOwner } from './operators/grantOwner.ts';
import { grantSequence } from './operators/grantSequence.ts';
import { grantTable } from './operators/grantTable.ts';
import { helperIgnoresNull } from './operators/helperIgnoresNull.ts';
import { helperIsVictim } from './operators/helperIsVictim.ts';
import { helperSaysYes } from './operators/helperSaysYes.ts';
import { makePermissive } from './operators/makePermissive.ts';
import { ownerUnchecked } from './operators/ownerUnchecked.ts';
import { plainForeignKey } from './operators/plainForeignKey.ts';
import { policyRole } from './operators/policyRole.ts';
import { securityDefiner } from './operators/securityDefiner.ts';
import { swapAndOr } from './operators/swapAndOr.ts';
import { unforce } from './operators/unforce.ts';
import { uniqueForAll } from './operators/uniqueForAll.ts';
import { usingTrue } from './operators/usingTrue.ts';
import { viewAsOwner } from './operators/viewAsOwner.ts';

/** Every way to make a schema weaker, by what a person calls it. */
export const kinds: Readonly<Record<string, Kind>> = {
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
  'disable row-level security': disable,
  'do not force it on the owner': unforce,
  'grant the owner column': grantOwner,
  'grant the owner column, and widen WITH CHECK': ownerUnchecked,
  'grant on the table': grantTable,
  'grant a sequence': grantSequence,
  'let the view read as its owner': viewAsOwner,
  'make the function SECURITY DEFINER': securityDefiner,
  'make the helper name another tenant': helperIsVictim,
  'make the helper take nobody for somebody': helperIgnoresNull,
  'make the helper say yes': helperSaysYes,
  'drop the owner from a foreign key': plainForeignKey,
  'drop the owner from a unique key': uniqueForAll,
  'disable a trigger that refuses': disableTrigger,
};

/** All mutants of a schema, in the same order from run to run. */
export function mutantsOf(ground: MutantTarget): Mutant[] {
  return Object.entries(kinds).flatMap(([kind, make]) =>
    [...make(ground)].map((change) => ({ ...change, id: `${kind}: ${change.object}`, kind })),
  );
}
