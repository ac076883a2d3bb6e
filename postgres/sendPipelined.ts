import type pg from 'pg';
import type { Batch } from './batch.ts';
import { connectionOf } from './internals/nodePostgres.ts';

/**
 * Sends several batches to a client in one write. Postgres runs each as a separate transaction, in order. A batch that
 * changes the prepared statements of the connection goes last, because only its answer tells whether they changed.
 *
 * @returns the number of batches that were sent or could not be encoded. The batches after them are untouched.
 */
export function sendPipelined(client: pg.ClientBase, batches: readonly Batch[]): number {
  const connection = connectionOf(client);
  const messages: Buffer[] = [];
  const sent: Batch[] = [];
  let taken = 0;
  for (const batch of batches) {
    taken++;
    try {
      const keeps = batch.encode(connection, messages);
      sent.push(batch);
      if (!keeps) break;
    } catch (error) {
      batch.fail(error as Error);
    }
  }
  for (const [index, batch] of sent.entries()) {
    const next = sent[index + 1];
    batch.ended = (fault) => {
      if (!next) return;
      if (fault) next.fail(fault);
      // Data that was read before the stream was destroyed still arrives here.
      else if (connection.stream.destroyed || client.getTransactionStatus() !== 'I')
        next.fail(new Error('Connection terminated: its state is unknown'));
      // The messages of the next batch are already sent. Make it the receiver of the next answer.
      else client.query(next as never);
    };
  }
  const [first] = sent;
  if (first) {
    connection.stream.write(Buffer.concat(messages));
    client.query(first as never);
  }
  return taken;
}
