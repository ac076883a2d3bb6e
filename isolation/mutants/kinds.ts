import { addPolicy } from './kinds/addPolicy.ts';
import { checkTrue } from './kinds/checkTrue.ts';
import { disable } from './kinds/disable.ts';
import { disableTrigger } from './kinds/disableTrigger.ts';
import { dropCheck } from './kinds/dropCheck.ts';
import { dropConjunct } from './kinds/dropConjunct.ts';
import { dropPolicy } from './kinds/dropPolicy.ts';
import { equalToUnequal } from './kinds/equalToUnequal.ts';
import { grantOwner } from './kinds/grantOwner.ts';
import { grantSequence } from './kinds/grantSequence.ts';
import { grantTable } from './kinds/grantTable.ts';
import { helperIgnoresNull } from './kinds/helperIgnoresNull.ts';
import { helperIsVictim } from './kinds/helperIsVictim.ts';
import { helperSaysYes } from './kinds/helperSaysYes.ts';
import { makePermissive } from './kinds/makePermissive.ts';
import { ownerUnchecked } from './kinds/ownerUnchecked.ts';
import { plainForeignKey } from './kinds/plainForeignKey.ts';
import { policyRole } from './kinds/policyRole.ts';
import { securityDefiner } from './kinds/securityDefiner.ts';
import { swapAndOr } from './kinds/swapAndOr.ts';
import { unforce } from './kinds/unforce.ts';
import { uniqueForAll } from './kinds/uniqueForAll.ts';
import { usingTrue } from './kinds/usingTrue.ts';
import { viewAsOwner } from './kinds/viewAsOwner.ts';
import type { Ground, Kind, Mutant } from './mutant.ts';

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
export function mutantsOf(ground: Ground): Mutant[] {
  return Object.entries(kinds).flatMap(([kind, make]) =>
    [...make(ground)].map((change) => ({ ...change, id: `${kind}: ${change.object}`, kind })),
  );
}
