import type { Writable } from 'node:stream';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';
import { ClientPace } from './clientPace.ts';
import { type ReadableTable, rowsOf } from './tables.ts';

/**
 * Writes the rows of `tables` that belong to the transaction's user or organization to `output`, as one JSON object; does not end `output`.
 *
 * @throws CancelledError when the client reads too slowly; whatever the database reports.
 */
export async function writeTables(
  transaction: Transaction,
  tables: readonly ReadableTable[],
  owner: 'user' | 'organization',
  output: Writable,
): Promise<void> {
  const pace = new ClientPace();
  const write = (text: string) => pace.write(output, text);
  await write(`{"exportedAt":${JSON.stringify(new Date())},"tables":{`);
  for (const [index, table] of tables.entries()) {
    let between = `${index === 0 ? '' : ','}\n${JSON.stringify(table.name)}:[\n`;
    for await (const rows of rowsOf(transaction, table, owner)) {
      await write(`${between}${rows.join(',\n')}`);
      between = ',\n';
    }
    await write(between === ',\n' ? ']' : `${between}]`);
  }
  await write('\n}}\n');
}
