import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { handleProtocols, makeServer, type ServerOptions as Protocol } from 'graphql-ws';
import type { Logger } from 'pino';
import { type ServerOptions, type WebSocket, WebSocketServer } from 'ws';
import { closing } from './connection.ts';
import { Outbound } from './outbound.ts';

/** Milliseconds to wait for the first message, for a pong, and for the client's close frame. */
const timeouts = { init: 5000, ping: 30_000, close: 2000 };

/** The maximum size of a message in bytes. It is the same as for an HTTP body. */
const maxPayload = 100_000;

/** A client may send `burst` messages at once, and then `perSecond`. Subscriptions need few messages. */
const messages = { burst: 200, perSecond: 20 };

/** The state of one socket. It is anonymous until its token is verified. */
export interface Extra {
  readonly socket: WebSocket;
  readonly request: IncomingMessage;
  /** Removes the socket from its user's connections. Set after the token is verified. */
  leave?: () => void;
  /** The user's id. Set after the token is verified. */
  tenant?: string;
}

export interface SocketParts {
  readonly path: string;
  readonly allowedOrigins: readonly string[];
  readonly protocol: Protocol<Record<string, unknown>, Extra>;
  readonly log: Logger;
}

/** The WebSockets of a server. */
export interface Sockets {
  /** Tells every client that the server is stopping. Resolves when all of them have closed. */
  close(): Promise<void>;
  /** Ends every socket without waiting for its client. */
  terminate(): void;
}

/**
 * Accepts WebSocket upgrades of `server` at `path`, with the protocol graphql-transport-ws. Every 30 seconds it terminates
 * sockets that have not answered the last ping, or whose clients do not read their messages.
 */
export function openSockets(server: HttpServer, { path, allowedOrigins, protocol, log }: SocketParts): Sockets {
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload,
    handleProtocols,
    closeTimeout: timeouts.close,
  } as ServerOptions);
  const graphqlWs = makeServer({ ...protocol, connectionInitWaitTimeout: timeouts.init });
  const answered = new WeakSet<WebSocket>();
  const outbounds = new WeakMap<WebSocket, Outbound>();
  let stopping = false;

  const opened = (socket: WebSocket, request: IncomingMessage) => {
    const extra: Extra = { socket, request };
    const outbound = new Outbound(socket);
    outbounds.set(socket, outbound);
    answered.add(socket);
    // Without a listener, a malformed frame would end the process. A close event follows.
    socket.on('error', () => {});
    socket.on('pong', () => answered.add(socket));
    const failed = (error: unknown) => {
      if (socket.readyState !== socket.OPEN) return;
      log.error({ err: error }, 'a WebSocket failed');
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

  const heartbeat = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!answered.delete(socket) || outbounds.get(socket)?.isStuck()) socket.terminate();
      else socket.ping();
    }
  }, timeouts.ping);
  heartbeat.unref();

  return {
    close: async () => {
      stopping = true;
      clearInterval(heartbeat);
      const closed = new Promise<void>((resolve) => sockets.close(() => resolve()));
      for (const socket of sockets.clients) socket.close(...closing.stopping);
      await closed;
    },
    terminate: () => {
      for (const socket of sockets.clients) socket.terminate();
    },
  };
}

/** Creates a rate limit for the messages of one socket. Call the function for each message; true means too many. */
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

/** Checks the origin. Browsers always send it, so a client without it is no browser, and cross-site attacks do not apply. */
function originAllowed({ headers: { origin, host } }: IncomingMessage, allowed: readonly string[]): boolean {
  if (origin === undefined || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function refuse(socket: Duplex, status: string): void {
  socket.on('error', () => {});
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
