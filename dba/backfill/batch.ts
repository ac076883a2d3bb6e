import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { demandPolicies } from '../online/ownerPolicies.ts';
import type { Plan } from './plan.ts';
import { beginState, type State, writeState } from './state.ts';

/**
 * Updates the next rows in primary-key order and records the progress, in the caller's transaction.
 *
 * @param size rows to read, including rows that WHERE excludes. So the duration of a batch depends little on WHERE.
 * @returns the state after the batch, and whether rows remain.
 * @throws UsageError if the update changes the primary key, or if an owner policy is missing.
 */
export async function runBatch(client: pg.Client, plan: Plan, size: number): Promise<State & { more: boolean }> {
  const { id, table, key, set, where } = plan;
  await demandPolicies(client, plan.hidden);
  // Lets triggers exclude backfills: docs/dba.md, "Backfill".
  await client.query("select set_config('app.backfill', 'on', true)");
  // Created inside the first batch: if that batch fails, no record of an unfinished backfill remains.
  const state = await beginState(client, plan);
  const after = comparison(plan, '>', state.lastKey);
  const { rows } = await client.query<string[]>({
    // Without `t.`, ORDER BY would use the selected text and sort as text.
    text: `select ${key.map(({ column }) => `${column}::text`).join(', ')} from ${table} t where ${after.text}
      order by ${key.map(({ column }) => `t.${column}`).join(', ')} offset ${size - 1} limit 1`,
    values: after.values,
    rowMode: 'array',
  });
  const last = rows[0];
  const until = comparison(plan, '<=', last ?? null, after.values.length);
  const update = `update ${table} set ${set}\nwhere ${after.text} and ${until.text} and (${where ?? 'true'}\n)`;
  const { rows: counts } = await client.query<{ changed: number; ahead: boolean | null }>({
    text: `with changed as (${update} returning not ${until.text} as ahead)
      select count(*)::float8 as changed, bool_or(ahead) as ahead from changed`,
    values: [...after.values, ...until.values],
  });
  const { changed, ahead } = counts[0] as { changed: number; ahead: boolean | null };
  if (ahead) {
    throw new UsageError(
      `${table}: SET changes the primary key, so later batches would update the same rows again. Leave the key columns out of SET.`,
    );
  }
  const next = {
    lastKey: last ?? state.lastKey,
    seen: state.seen + (last ? size : changed),
    changed: state.changed + changed,
  };
  await writeState(client, id, next);
  return { ...next, more: last !== undefined };
}

/**
 * A comparison with a key: `(a, b) > ($1::uuid, $2::uuid)`, or `true` without a key.
 *
 * @param bound the number of parameters that the statement already has.
 */
function comparison({ key }: Plan, operator: '>' | '<=', values: readonly string[] | null, bound = 0) {
  if (!values) return { text: 'true', values: [] };
  const columns = key.map(({ column }) => column).join(', ');
  const parameters = key.map(({ type }, index) => `$${bound + index + 1}::text::${type}`).join(', ');
  return { text: `(${columns}) ${operator} (${parameters})`, values: [...values] };
}
