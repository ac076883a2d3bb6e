import { getNamedType } from 'postgraphile/graphql';
import { keyOf } from '../interleaving/model.ts';
import type { Client, Member } from './client.ts';
import { operationOf } from './fields.ts';
import { type Holdings, type Row, readHoldings } from './rows.ts';
import type { Api, RootField } from './schema.ts';
import { slotsOf } from './slots.ts';
import { fromRow, questionOf, valueIn } from './validArguments.ts';

/** A row that went may have taken others with it, and they can only be made after it. */
const rounds = 3;

/**
 * Brings a member's rows back to what they were, through the API alone: deletes what is new, makes what is gone, under its
 * key where the API takes one, and writes back what has changed. Times stay as they are.
 */
export async function repair(client: Client, api: Api, member: Member, before: Holdings): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    const now = await readHoldings(client, api, member);
    let changes = 0;
    const apply = async (type: string, operation: 'insert' | 'update' | 'delete', row: Row) => {
      const root = fieldFor(api, type, operation, row);
      if (!root) return;
      changes++;
      const slots = slotsOf(root.field, root.entity);
      const emptied = slots.filter(({ inner, name }) => inner && operation === 'update' && row[name] === null);
      const filling = new Map([...fromRow(slots, row), ...emptied.map((slot) => [slot, null] as const)]);
      await client.ask(member, questionOf(root, api.rows, filling));
    };
    for (const type of api.rows.keys()) {
      const was = byKey(before.rows.get(type));
      const is = byKey(now.rows.get(type));
      for (const [key, row] of is) if (!was.has(key)) await apply(type, 'delete', row);
      for (const [key, row] of was) {
        const other = is.get(key);
        if (!other) await apply(type, 'insert', row);
        else if (timeless(api, type, other) !== timeless(api, type, row)) await apply(type, 'update', row);
      }
    }
    if (changes === 0) return;
  }
}

const byKey = (rows: readonly Row[] = []) => new Map(rows.map((row) => [keyOf(row), row]));

/** The field that does it with one row, and is told all that it needs. */
function fieldFor(api: Api, type: string, operation: string, row: Row): RootField | undefined {
  return api.fields.find((root) => {
    if (root.operation !== 'mutation' || root.entity?.name !== type || operationOf(root) !== operation) return false;
    const slots = slotsOf(root.field, root.entity);
    return slots.every(
      (slot) => !slot.path.includes(0) && !slot.list && (!slot.required || (valueIn(row, slot) ?? null) !== null),
    );
  });
}

function timeless(api: Api, type: string, row: Row): string {
  const fields = api.rows.get(type)?.getFields() ?? {};
  const kept = Object.entries(row).filter(([name]) => {
    const field = fields[name];
    return !field || getNamedType(field.type).name !== 'Datetime';
  });
  return JSON.stringify(kept);
}
