import type pg from 'pg';
import type { Catalog, Routine } from '../catalog.ts';
import type { Answer } from '../http/post.ts';
import { runControls } from '../proveSql.ts';
import type { SeedData } from '../seedData/seedData.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf } from './fields.ts';
import type { RootField } from './schema.ts';

/** The function that a field of the API calls: the field has its name without the `_`. */
export function routineOf({ routines, schema }: Catalog, field: string): Routine | undefined {
  return routines.find(
    ({ schema: own, sql }) =>
      own === schema && sql.replace(/^.*\./, '').replaceAll(/[_"]/g, '').toLowerCase() === field.toLowerCase(),
  );
}

/** Codes of what a function or a constraint refuses in words of its own. */
const refusals = ['BAD_USER_INPUT', 'CONFLICT', 'NOT_FOUND'];

/**
 * Why a field works for nobody: the table's owner cannot do it in SQL either, and the catalog says why; or it is a
 * function, of which nobody knows what it wants, and it was answered as a function answers.
 *
 * @param client on a scratch database with the cast's rows, of a role that row-level security does not bind.
 */
export function explainer(client: pg.ClientBase, catalog: Catalog, cast: SeedData): AttackContext['explain'] {
  return async (root: RootField, answer: Answer | undefined, table: string) => {
    const errors = answer?.body?.errors ?? [];
    const [first] = errors;
    const isRefusal = errors.every(({ extensions }) => refusals.includes(extensions?.code ?? ''));
    const routine = routineOf(catalog, root.field.name);
    if (routine?.kind === 'procedure') return 'it is a procedure, and the API calls functions alone';
    if (routine && answer?.body) {
      if (!first) return 'the function has no answer to anything that A has';
      return isRefusal ? `the function refuses all that was tried: ${first.message}` : undefined;
    }
    await client.query('begin');
    try {
      const controls = await runControls(client, catalog, cast, { only: (name) => name === table });
      // A row that a constraint refuses has passed the policies. For a new row the prover itself may be at fault.
      const isView = catalog.views.some(({ name }) => name === table);
      const isConstraint = errors.every(({ extensions }) => extensions?.code !== 'NOT_FOUND');
      const isChange = ['update', 'delete'].includes(operationOf(root));
      const isBroken = controls.some(({ works, reason }) => !works && !reason);
      if (first && isRefusal && isConstraint && !isBroken && (isView || isChange))
        return `a constraint refuses it for what A has: ${first.message}`;
      const idle = controls.filter(({ works, reason }) => !works && reason);
      const about = [operationOf(root), 'select'].map((wanted) => idle.find(({ operation }) => operation === wanted));
      return about.find((control) => control !== undefined)?.reason;
    } finally {
      await client.query('rollback');
    }
  };
}
