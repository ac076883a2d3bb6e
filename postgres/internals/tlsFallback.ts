import { once } from 'node:events';
import { connect } from 'node:net';
import type pg from 'pg';

/** SSLRequest of the frontend/backend protocol: its length and its code. */
const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);

/**
 * Asks a server whether it offers TLS, over a separate connection.
 *
 * @param timeout milliseconds for connecting and for the answer.
 * @throws the error that keeps the server from answering.
 */
export async function offersTls(host: string, port: number, timeout: number): Promise<boolean> {
  const socket = connect({ host, port });
  socket.setTimeout(timeout, () => socket.destroy(new Error('Connection terminated due to connection timeout')));
  try {
    const answered = once(socket, 'data');
    const closed = once(socket, 'close').then(() => {
      throw new Error('Connection terminated unexpectedly');
    });
    closed.catch(() => {});
    answered.catch(() => {});
    await once(socket, 'connect');
    socket.write(sslRequest);
    const [answer] = (await Promise.race([answered, closed])) as [Buffer];
    return answer[0] === 0x53;
  } finally {
    socket.destroy();
  }
}

/**
 * Makes a client connect without TLS; call it before `connect()`. node-postgres decides on TLS in the constructor and has no
 * public way to change it. docs/adr/0060-channel-binding-and-sslmode.md explains why this function changes it.
 */
export function disableTls(client: pg.Client): void {
  const fields = client as unknown as { ssl: unknown; connection: { ssl: unknown } };
  fields.ssl = false;
  fields.connection.ssl = false;
}
