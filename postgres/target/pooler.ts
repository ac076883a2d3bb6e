import type pg from 'pg';
import { processIdOf } from '../internals/nodePostgres.ts';
import { withClient } from '../withClient.ts';

/** Comparisons of two sessions. On a pooler without other clients, the first one decides. */
const rounds = 10;

/**
 * Returns why migrations cannot use `url`: a transaction pooler gives each transaction another session, so advisory locks
 * and settings get lost. Returns undefined for a direct connection and for a pooler in session mode.
 *
 * Postgres announces the process id of a session at its start. A pooler, which has many sessions, announces an id of its
 * own.
 *
 * @param name the environment variable of `url`.
 * @param client a client that is connected to `url`.
 */
export async function transactionPooler(name: string, url: string, client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ pid: number; address: string | null; port: number | null }>(
    'select pg_backend_pid() as pid, host(inet_server_addr()) as address, inet_server_port() as port',
  );
  const first = rows[0];
  if (!first || first.pid === processIdOf(client)) return undefined;
  let { pid } = first;
  return withClient(url, async (other) => {
    for (let round = 0; round < rounds; round++) {
      const theirs = await backend(other);
      const ours = await backend(client);
      // Two sessions have shared one process, or one session has had two.
      if (theirs === pid || theirs === ours || ours !== pid) {
        const { address, port } = first;
        const direct = address ? `Postgres listens on ${address}:${port}` : undefined;
        return refusal(name, new URL(url).hostname, direct);
      }
      pid = ours;
    }
    return undefined;
  });
}

/** Detects a Neon pooler by its host name, without a connection. Returns the same as `transactionPooler`. */
export function neonPooler(name: string, url: string): string | undefined {
  const { hostname } = new URL(url);
  const direct = hostname.replace(/^([^.]+)-pooler\.(.+\.neon\.(?:tech|build))$/, '$1.$2');
  return direct === hostname ? undefined : refusal(name, hostname, `the direct host is ${direct}`);
}

function refusal(name: string, host: string, direct: string | undefined): string {
  return `${name} points at a transaction pooler (${host}), which loses a migration's lock and settings between statements. Set it to Postgres itself${direct ? `: ${direct}` : ''}.`;
}

async function backend(client: pg.Client): Promise<number> {
  return (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
}
