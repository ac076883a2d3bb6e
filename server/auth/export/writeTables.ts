import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { CancelledError } from '../../database/cancellation.ts';
import type { Transaction } from '../../database/database.ts';
import { type ReadableTable, rowsOf } from './tables.ts';

/** Milliseconds that a client may take for what was sent, at most: the transaction holds a connection meanwhile. */
const patience = 10_000;

/**
 * Writes the rows of `tables` that are the transaction's tenant's to `output`, as one JSON object; does not end `output`.
 *
 * @throws CancelledError when the reader stops reading; whatever the database reports.
 */
export async function writeTables(
  transaction: Transaction,
  tables: readonly ReadableTable[],
  output: Writable,
): Promise<void> {
  const write = async (text: string) => {
    if (output.write(text)) return;
    const signal = AbortSignal.timeout(patience);
    await once(output, 'drain', { signal }).catch((error) => {
      throw signal.aborted ? new CancelledError('client gone') : error;
    });
  };
  await write(`{"exportedAt":${JSON.stringify(new Date())},"tables":{`);
  for (const [index, table] of tables.entries()) {
    let between = `${index === 0 ? '' : ','}\n${JSON.stringify(table.name)}:[\n`;
    for await (const rows of rowsOf(transaction, table)) {
      await write(`${between}${rows.join(',\n')}`);
      between = ',\n';
    }
    await write(between === ',\n' ? ']' : `${between}]`);
  }
  await write('\n}}\n');
}
