import type { Kind } from '../mutant.ts';
import { askedByPolicies } from '../mutantTarget.ts';
import { replaceBody } from '../routineSql.ts';

/** A function that policies ask for yes or no says yes. */
export const helperSaysYes: Kind = function* ({ catalog }) {
  for (const routine of askedByPolicies(catalog)) {
    if (catalog.types.get(routine.returns)?.name !== 'boolean' || routine.returnsSet) continue;
    yield {
      object: routine.name,
      description: `${routine.name} says yes to everything.`,
      sql: replaceBody(routine, 'select true', catalog),
    };
  }
};
