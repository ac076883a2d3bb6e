import type pg from 'pg';
import { withClient } from '../withClient.ts';

/** How often two sessions are compared. Where nobody else uses the pooler the first time tells. */
const rounds = 10;

/**
 * Why `url` cannot be used for migrations: it leads through a pooler that gives each transaction another session, so that
 * advisory locks and settings do not hold. Undefined for a direct connection, and for a pooler that keeps sessions.
 *
 * Postgres says a session's process id when it is opened, and a pooler, which has many sessions, says one of its own.
 *
 * @param name of the variable that `url` is from.
 * @param client connected to `url`.
 */
export async function transactionPooler(name: string, url: string, client: pg.Client): Promise<string | undefined> {
  const { rows } = await client.query<{ pid: number; address: string | null; port: number | null }>(
    'select pg_backend_pid() as pid, host(inet_server_addr()) as address, inet_server_port() as port',
  );
  const first = rows[0];
  if (!first || first.pid === (client as unknown as { processID: number }).processID) return undefined;
  let { pid } = first;
  return withClient(url, async (other) => {
    for (let round = 0; round < rounds; round++) {
      const theirs = await backend(other);
      const ours = await backend(client);
      // Two sessions share one process, or one has had two.
      if (theirs === pid || theirs === ours || ours !== pid) {
        const { address, port } = first;
        const direct = address ? `Postgres says that it is at ${address}:${port}` : undefined;
        return refusal(name, new URL(url).hostname, direct);
      }
      pid = ours;
    }
    return undefined;
  });
}

/** The same of a Neon host, which tells by its name. Nobody has to be connected to it. */
export function neonPooler(name: string, url: string): string | undefined {
  const { hostname } = new URL(url);
  const direct = hostname.replace(/^([^.]+)-pooler\.(.+\.neon\.(?:tech|build))$/, '$1.$2');
  return direct === hostname ? undefined : refusal(name, hostname, `the direct host is ${direct}`);
}

function refusal(name: string, host: string, direct: string | undefined): string {
  return `${name} leads through a transaction pooler (${host}), where a migration's lock and settings are lost between statements. Name Postgres itself${direct ? `: ${direct}` : ''}.`;
}

async function backend(client: pg.Client): Promise<number> {
  return (await client.query('select pg_backend_pid() as pid')).rows[0].pid;
}
