import type pg from 'pg';
import { PostgresClient } from './client.ts';
import { clientOptions } from './connectionString.ts';

/** A client that is not connected yet; `sslmode` means to it what libpq says, as to the server. */
export function newClient(url: string, name = 'hedgerow db'): pg.Client {
  const client = new PostgresClient({ ...clientOptions(url), application_name: name });
  // A connection that is lost is told by the next statement; without a listener the process would end.
  client.on('error', () => {});
  return client;
}

/** Connects, works, and closes the connection however that ends. */
export async function withClient<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = newClient(url);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
