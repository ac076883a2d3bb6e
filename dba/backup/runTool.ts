import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { UsageError } from '../../common/usageError.ts';
import { readParameters, writeParameters } from '../../postgres/connectionParameters.ts';
import { canonicalUrl } from '../../postgres/connectionString.ts';
import { withoutLibpqVariables } from '../../postgres/libpqEnvironment.ts';
import { exitCodeOf } from '../cli/child.ts';

/**
 * Runs pg_dump or pg_restore on the database of `url`. Passes the password in the environment, which other users of the
 * machine cannot read, and keeps it out of messages.
 *
 * @throws UsageError with the program's output if it fails.
 */
export async function runTool(program: string, url: string, args: readonly string[]): Promise<void> {
  const { connection, password } = forLibpq(url);
  const child = spawn(program, [`--dbname=${connection}`, '--no-password', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...withoutLibpqVariables(process.env), LC_MESSAGES: 'C', ...(password && { PGPASSWORD: password }) },
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-4000);
  });
  const code = await exitCodeOf(child);
  if (code !== 0) throw new UsageError(`${basename(program)} failed (${code}):\n${words.trim()}`);
}

/** The URI parameters that libpq supports. It rejects all others, such as those of other tools. */
const libpqParameters = new Set([
  ...['application_name', 'channel_binding', 'client_encoding', 'connect_timeout', 'fallback_application_name'],
  ...['gssdelegation', 'gssencmode', 'gsslib', 'keepalives', 'keepalives_count', 'keepalives_idle'],
  ...['keepalives_interval', 'krbsrvname', 'load_balance_hosts', 'options', 'sslcert', 'sslcertmode', 'sslcompression'],
  ...['ssl_max_protocol_version', 'ssl_min_protocol_version', 'sslkey', 'sslmode', 'sslnegotiation', 'sslrootcert'],
  ...['sslsni', 'target_session_attrs', 'tcp_user_timeout'],
]);

/** Converts a connection string to a URI for libpq and a separate password. */
export function forLibpq(url: string): { connection: string; password: string } {
  const parsed = new URL(canonicalUrl(url));
  const given = readParameters(parsed.search);
  const password = decodeURIComponent(parsed.password);
  parsed.password = '';
  if (given.get('sslmode') === 'no-verify') {
    given.set('sslmode', 'require');
    // With a root certificate, libpq treats `require` as `verify-ca`.
    given.delete('sslrootcert');
  }
  parsed.search = writeParameters(new Map([...given].filter(([name]) => libpqParameters.has(name))));
  return { connection: parsed.href, password };
}
