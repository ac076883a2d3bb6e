import type pg from 'pg';
import { UsageError } from '../../common/usageError.ts';
import { demandPolicies } from '../online/ownerPolicies.ts';
import type { Plan } from './plan.ts';
import { beginState, type State, writeState } from './state.ts';

/**
 * The next rows in the order of the primary key, as one transaction's work: their update, and the record of it.
 *
 * @param size how many rows to look at; those that WHERE does not let through are looked at too, so that a batch takes
 *   about as long whatever WHERE says.
 * @returns the state after it, and whether there is more to do.
 */
export async function runBatch(client: pg.Client, plan: Plan, size: number): Promise<State & { more: boolean }> {
  const { id, table, key, set, where } = plan;
  await demandPolicies(client, plan.hidden);
  // For triggers that have no business with a backfill.
  await client.query("select set_config('app.backfill', 'on', true)");
  // Here and not before: of a backfill whose first batch fails there is nothing to go on with.
  const state = await beginState(client, plan);
  const after = comparison(plan, '>', state.lastKey);
  const { rows } = await client.query<string[]>({
    // `t.`: a bare name would be the text that is selected, and the order that of text.
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
    throw new UsageError(`${table}: the update changes the primary key, so that it would come to the same rows again.`);
  }
  const next = {
    lastKey: last ?? state.lastKey,
    seen: state.seen + (last ? size : changed),
    changed: state.changed + changed,
  };
  await writeState(client, id, next);
  return { ...next, more: last !== undefined };
}

/** `(a, b) > ($1::uuid, $2::uuid)`; true where there is no key to compare with. */
function comparison({ key }: Plan, operator: '>' | '<=', values: readonly string[] | null, bound = 0) {
  if (!values) return { text: 'true', values: [] };
  const columns = key.map(({ column }) => column).join(', ');
  const parameters = key.map(({ type }, index) => `$${bound + index + 1}::text::${type}`).join(', ');
  return { text: `(${columns}) ${operator} (${parameters})`, values: [...values] };
}
