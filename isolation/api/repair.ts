import { getNamedType } from 'postgraphile/graphql';
import { keyOf } from '../interleaving/model.ts';
import type { ApiActor, Client } from './client.ts';
import { operationOf } from './fields.ts';
import { type Holdings, type Row, readHoldings } from './rows.ts';
import type { Api, RootField } from './schema.ts';
import { slotsOf } from './slots.ts';
import { createRequest, fromRow, valueIn } from './validArguments.ts';

/** The maximum number of rounds. A deleted row may have cascaded to rows that can be inserted only after it. */
const maxRounds = 3;

/**
 * Restores a tenant's rows through the API. It deletes new rows, inserts missing rows with their old keys if the API
 * accepts keys, and updates changed rows. It does not restore times.
 */
export async function repair(client: Client, api: Api, actor: ApiActor, before: Holdings): Promise<void> {
  for (let round = 0; round < maxRounds; round++) {
    const now = await readHoldings(client, api, actor);
    let changes = 0;
    const apply = async (type: string, operation: 'insert' | 'update' | 'delete', row: Row) => {
      const root = fieldFor(api, type, operation, row);
      if (!root) return;
      changes++;
      const slots = slotsOf(root.field, root.entity);
      const nulled = slots.filter(({ inner, name }) => inner && operation === 'update' && row[name] === null);
      const values = new Map([...fromRow(slots, row), ...nulled.map((slot) => [slot, null] as const)]);
      await client.ask(actor, createRequest(root, api.rows, values));
    };
    for (const type of api.rows.keys()) {
      const was = byKey(before.rows.get(type));
      const is = byKey(now.rows.get(type));
      for (const [key, row] of is) if (!was.has(key)) await apply(type, 'delete', row);
      for (const [key, row] of was) {
        const other = is.get(key);
        if (!other) await apply(type, 'insert', row);
        else if (withoutTimes(api, type, other) !== withoutTimes(api, type, row)) await apply(type, 'update', row);
      }
    }
    if (changes === 0) return;
  }
}

const byKey = (rows: readonly Row[] = []) => new Map(rows.map((row) => [keyOf(row), row]));

/** A field that performs the operation on one row, and whose required arguments the row provides. */
function fieldFor(api: Api, type: string, operation: string, row: Row): RootField | undefined {
  return api.fields.find((root) => {
    if (root.operation !== 'mutation' || root.entity?.name !== type || operationOf(root) !== operation) return false;
    const slots = slotsOf(root.field, root.entity);
    return slots.every(
      (slot) => !slot.path.includes(0) && !slot.list && (!slot.required || (valueIn(row, slot) ?? null) !== null),
    );
  });
}

function withoutTimes(api: Api, type: string, row: Row): string {
  const fields = api.rows.get(type)?.getFields() ?? {};
  const kept = Object.entries(row).filter(([name]) => {
    const field = fields[name];
    return !field || getNamedType(field.type).name !== 'Datetime';
  });
  return JSON.stringify(kept);
}
