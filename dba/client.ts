import pg from 'pg';

/** Connects, works, and closes the connection however that ends. */
export async function withClient<Result>(
  connectionString: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString, application_name: 'hedgerow db' });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
