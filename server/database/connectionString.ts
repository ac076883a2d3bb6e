import type pg from 'pg';

/**
 * node-postgres' options for a connection string, with `sslmode` as libpq means it: `require` encrypts, `verify-ca` and
 * `verify-full` also check the certificate. node-postgres by itself takes `require` for `verify-full`.
 */
export function clientOptions(url: string): pg.ClientConfig & { readonly connectionString: string } {
  const parsed = new URL(url);
  const { searchParams } = parsed;
  if (searchParams.has('sslmode')) searchParams.set('uselibpqcompat', 'true');
  // libpq's name for the certificates that the system trusts, which are Node's default.
  if (searchParams.get('sslrootcert') === 'system') searchParams.delete('sslrootcert');
  return {
    connectionString: parsed.href,
    application_name: 'hedgerow',
    keepAlive: true,
    // Node's default leaves it to the system, which waits for two hours.
    keepAliveInitialDelayMillis: 30_000,
    enableChannelBinding: searchParams.get('channel_binding') === 'require',
  };
}
