import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols, makeServer, type ServerOptions as Protocol } from 'graphql-ws';
import type { Logger } from 'pino';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { closing } from './connection.ts';
import { Outbound } from './outbound.ts';

/** Milliseconds: for the first message, for the answer to a ping, and for the answer to a close. */
const times = { init: 5000, ping: 30_000, goodbye: 2000 };

/** Largest message that is read, in bytes: that of an HTTP body. */
const maxPayload = 100_000;

/** Messages that a client may send at once, and in a second from then on. Subscriptions need few. */
const messages = { burst: 200, perSecond: 20 };

export interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** Its user has it counted; undefined until its token was verified. */
  leave?: () => void;
  /** The user's id, once the token was verified. */
  tenant?: string;
}

export interface SocketParts {
  readonly path: string;
  readonly allowedOrigins: readonly string[];
  readonly protocol: Protocol<Record<string, unknown>, Extra>;
  readonly log: Logger;
}

/** The websockets of a server. */
export interface Sockets {
  /** Tells every client that the server is stopping. Resolves when all of them have closed. */
  close(): Promise<void>;
  /** Ends every socket without waiting for its client. */
  terminate(): void;
}

/** Takes upgrades of `server` at `path`, and speaks graphql-transport-ws on them. */
export function openSockets(server: HttpServer, { path, allowedOrigins, protocol, log }: SocketParts): Sockets {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload,
    handleProtocols,
    closeTimeout: times.goodbye,
  } as ServerOptions);
  const graphqlWs = makeServer({ ...protocol, connectionInitWaitTimeout: times.init });
  const answered = new WeakSet<WebSocket>();
  const outbounds = new WeakMap<WebSocket, Outbound>();
  let stopping = false;

  const opened = (socket: WebSocket, request: IncomingMessage) => {
    const extra: Extra = { socket, request };
    const outbound = new Outbound(socket);
    outbounds.set(socket, outbound);
    answered.add(socket);
    // Without this a frame that is not one ends the process. What follows is a close.
    socket.on('error', () => {});
    socket.on('pong', () => answered.add(socket));
    const failed = (error: unknown) => {
      if (socket.readyState !== socket.OPEN) return;
      log.error({ err: error }, 'a websocket failed');
      socket.close(...closing.failed);
    };
    const closed = graphqlWs.opened(
      {
        protocol: socket.protocol,
        send: (data) => outbound.send(data, extra.tenant ?? ''),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (read) => {
          const tooMany = messageLimit();
          socket.on('message', (data) => {
            if (tooMany()) socket.close(...closing.tooManyMessages);
            else void read(String(data)).catch(failed);
          });
        },
      },
      extra,
    );
    socket.once('close', (code, reason) => {
      extra.leave?.();
      closed(code, String(reason)).catch(failed);
    });
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.split('?', 1)[0] !== path) return refuse(socket, '404 Not Found');
    if (stopping) return refuse(socket, '503 Service Unavailable');
    if (!originAllowed(request, allowedOrigins)) return refuse(socket, '403 Forbidden');
    sockets.handleUpgrade(request, socket, head, opened);
  };
  server.on('upgrade', upgrade);

  const heart = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!answered.delete(socket) || outbounds.get(socket)?.isStuck()) socket.terminate();
      else socket.ping();
    }
  }, times.ping);
  heart.unref();

  return {
    close: async () => {
      stopping = true;
      clearInterval(heart);
      const closed = new Promise<void>((resolve) => sockets.close(() => resolve()));
      for (const socket of sockets.clients) socket.close(...closing.stopping);
      await closed;
    },
    terminate: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

/** Counts a socket's messages. The function says of each whether it is beyond the limit. */
function messageLimit(): () => boolean {
  let left = messages.burst;
  let at = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(messages.burst, left + ((now - at) / 1000) * messages.perSecond) - 1;
    at = now;
    return left < 0;
  };
}

/** A browser says which page opens the socket; who says nothing is no browser, and has no user to be tricked. */
function originAllowed({ headers: { origin, host } }: IncomingMessage, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
