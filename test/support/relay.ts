import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay to a database, which a test can cut. */
export interface Relay {
  /** The connection string of another one, by way of the relay. */
  through(url: string): string;
  /** Ends every connection, and each new one at once. */
  cut(): void;
  /** Lets connections pass again, to another port if there is one. */
  restore(port?: number): void;
  close(): Promise<void>;
}

/** @param port of the database on this machine. */
export async function startRelay(port: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  let target: number | undefined = port;
  let last = port;
  const server = createServer((client) => {
    if (target === undefined) return client.destroy();
    const upstream = connect(target, '127.0.0.1');
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  const cut = () => {
    target = undefined;
    for (const socket of sockets) socket.destroy();
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    through: (url) => {
      const relayed = new URL(url);
      relayed.port = String((server.address() as AddressInfo).port);
      return relayed.href;
    },
    cut,
    restore: (port = last) => {
      last = port;
      target = port;
    },
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
