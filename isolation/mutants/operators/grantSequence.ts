import type { Kind } from '../mutant.ts';

/** A sequence tells every tenant how much the others write. */
export const grantSequence: Kind = function* ({ catalog }) {
  for (const sequence of catalog.sequences) {
    for (const privilege of ['select', 'usage', 'update']) {
      if (!sequence.usage || sequence.privileges.includes(privilege)) continue;
      yield {
        object: `${privilege} on ${sequence.name}`,
        description: `${catalog.role} has ${privilege} on the sequence ${sequence.name}, which all tenants share.`,
        sql: `grant ${privilege} on sequence ${sequence.sql} to ${catalog.role}`,
      };
    }
  }
};
