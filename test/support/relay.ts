import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay to a database. It is connected or cut. */
export interface Relay {
  /** Rewrites a connection string to lead through the relay. */
  through(url: string): string;
  /** Closes all connections, and each new one immediately. */
  cut(): void;
  /** Accepts connections again. @param port a new port of the database, if it has changed. */
  restore(port?: number): void;
  close(): Promise<void>;
}

/** Starts a relay. @param port the local port of the database. */
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
