import type { Kind } from '../mutant.ts';
import { signature } from '../routineSql.ts';

/** A function runs as its owner, not as its caller. */
export const securityDefiner: Kind = function* ({ catalog }) {
  for (const routine of catalog.routines) {
    if (routine.definer || !routine.executable) continue;
    yield {
      object: routine.name,
      description: `${routine.name} runs as its owner ${routine.owner}, not as its caller.`,
      sql: `alter routine ${signature(routine, catalog)} security definer`,
    };
  }
};
