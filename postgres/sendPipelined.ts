import type pg from 'pg';
import type { Batch, Wire } from './batch.ts';

/**
 * Sends several batches to a client in one write, each a transaction of its own: Postgres takes them one after the other.
 * One that changes what the connection keeps prepared is the last, because whether it did is known with its answer only.
 *
 * @returns how many were sent, or have failed because they cannot be; those behind them are as they were.
 */
export function sendPipelined(client: pg.ClientBase, batches: readonly Batch[]): number {
  const { connection: wire } = client as unknown as { connection: Wire };
  const messages: Buffer[] = [];
  const sent: Batch[] = [];
  let taken = 0;
  for (const batch of batches) {
    taken++;
    try {
      const keeps = batch.encode(wire, messages);
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
      // What was read before it was closed still comes.
      else if (wire.stream.destroyed || client.getTransactionStatus() !== 'I')
        next.fail(new Error('Connection terminated: its state was in doubt'));
      // Its messages are under way: now it is the one whose answer comes.
      else client.query(next as never);
    };
  }
  const [first] = sent;
  if (first) {
    wire.stream.write(Buffer.concat(messages));
    client.query(first as never);
  }
  return taken;
}
