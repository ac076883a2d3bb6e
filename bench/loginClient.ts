import { Agent, request } from 'node:http';

/** The status of an answer to a login, and its latency. */
interface Answered {
  readonly status: number;
  readonly milliseconds: number;
}

/** Credentials of one login. */
export interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Logs in over keep-alive connections. */
export interface LoginClient {
  logIn(credentials: Credentials): Promise<Answered>;
  close(): void;
}

export function loginClient(port: number): LoginClient {
  const agent = new Agent({ keepAlive: true });
  const headers = { 'Content-Type': 'application/json' };
  const logIn = (credentials: Credentials): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const start = performance.now();
      const sent = request(
        { agent, port, host: '127.0.0.1', method: 'POST', path: '/auth/login', headers },
        (response) => {
          response
            .resume()
            .on('error', reject)
            .on('end', () =>
              resolve({ status: response.statusCode as number, milliseconds: performance.now() - start }),
            );
        },
      );
      sent
        .on('error', (error: NodeJS.ErrnoException) => {
          // The server has closed an idle connection just when the client reused it.
          if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(logIn(credentials));
          else reject(error);
        })
        .end(JSON.stringify(credentials));
    });
  return { logIn, close: () => agent.destroy() };
}
