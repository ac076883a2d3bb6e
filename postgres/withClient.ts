import type pg from 'pg';
import { PostgresClient } from './client.ts';
import { clientOptions } from './connectionString.ts';

/** Creates a client without connecting it. It treats `sslmode` as libpq does. */
export function newClient(url: string, name = 'hedgerow db'): pg.Client {
  const client = new PostgresClient({ ...clientOptions(url), application_name: name });
  // The next statement reports a lost connection. Without a listener, the error would end the process.
  client.on('error', () => {});
  return client;
}

/** Connects, runs `work`, and closes the connection in any case. */
export async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = newClient(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
