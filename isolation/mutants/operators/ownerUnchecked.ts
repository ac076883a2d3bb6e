import pg from 'pg';
import type { Kind } from '../mutant.ts';
import { policiesOf, policyName } from '../mutantTarget.ts';
import { alter } from '../policySql.ts';
import { aboutPolicy } from '../proofs.ts';

/** The owner column may be written, and no policy looks at it: both walls at once, so that what is behind them shows. */
export const ownerUnchecked: Kind = function* ({ catalog, owners }) {
  for (const { table, policy } of policiesOf(catalog)) {
    const column = owners.get(table.oid)?.column;
    if (!column || column.generated || column.identity === 'always') continue;
    for (const command of ['insert', 'update'] as const) {
      if (policy.command !== command && policy.command !== 'all') continue;
      if ((policy.check ?? policy.using) === 'true') continue;
      yield {
        object: `${command}, ${policyName(table, policy)}`,
        description: `${catalog.role} may ${command} ${column.name}, and WITH CHECK is true: rows of ${table.name} can be given to anybody.`,
        sql: `grant ${command} (${pg.escapeIdentifier(column.name)}) on ${table.sql} to ${catalog.role};\n${alter(table, policy, 'with check (true)')}`,
        relations: [table.oid],
        proofs: aboutPolicy(catalog, table, policy),
      };
    }
  }
};
