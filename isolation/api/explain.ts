import type pg from 'pg';
import type { Catalog, Routine } from '../catalog.ts';
import type { Answer } from '../http/post.ts';
import { runControls } from '../proveSql.ts';
import type { SeedData } from '../seedData/seedData.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf } from './fields.ts';
import type { RootField } from './schema.ts';

/** The function that a field of the API calls. The field has the function's name without underscores. */
export function routineOf({ routines, schema }: Catalog, field: string): Routine | undefined {
  return routines.find(
    ({ schema: own, sql }) =>
      own === schema && sql.replace(/^.*\./, '').replaceAll(/[_"]/g, '').toLowerCase() === field.toLowerCase(),
  );
}

/** Error codes for refusals by a function or a constraint. */
const refusalCodes = ['BAD_USER_INPUT', 'CONFLICT', 'NOT_FOUND'];

/**
 * Returns a function that explains why a field works for no one. There are two explanations:
 *
 * - A cannot perform the operation in SQL either, and the catalog gives the reason.
 * - The field calls a function that refuses all tried arguments. The catalog does not show which arguments are valid.
 *
 * @param client connected to a scratch database with the seed data, as a role that bypasses row-level security.
 */
export function explainer(client: pg.ClientBase, catalog: Catalog, seedData: SeedData): AttackContext['explain'] {
  return async (root: RootField, answer: Answer | undefined, table: string) => {
    const errors = answer?.body?.errors ?? [];
    const [first] = errors;
    const isRefusal = errors.every(({ extensions }) => refusalCodes.includes(extensions?.code ?? ''));
    const routine = routineOf(catalog, root.field.name);
    if (routine?.kind === 'procedure') return 'it is a procedure, and the API calls only functions';
    if (routine && answer?.body) {
      if (!first) return 'the function returns nothing for any of A’s values';
      return isRefusal ? `the function refuses all tried arguments: ${first.message}` : undefined;
    }
    await client.query('begin');
    try {
      const controls = await runControls(client, catalog, seedData, { only: (name) => name === table });
      // A row that a constraint refuses has passed the policies. If it is a new row, the prover may have made it wrong.
      const isView = catalog.views.some(({ name }) => name === table);
      const isConstraint = errors.every(({ extensions }) => extensions?.code !== 'NOT_FOUND');
      const isChange = ['update', 'delete'].includes(operationOf(root));
      const isBroken = controls.some(({ works, reason }) => !works && !reason);
      if (first && isRefusal && isConstraint && !isBroken && (isView || isChange))
        return `a constraint refuses it for A’s rows: ${first.message}`;
      const idle = controls.filter(({ works, reason }) => !works && reason);
      const about = [operationOf(root), 'select'].map((wanted) => idle.find(({ operation }) => operation === wanted));
      return about.find((control) => control !== undefined)?.reason;
    } finally {
      await client.query('rollback');
    }
  };
}
