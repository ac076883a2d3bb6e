import { spawn } from 'node:child_process';
import { basename } from 'node:path';
import { ended } from '../child.ts';
import { UsageError } from '../verb.ts';

/**
 * Runs pg_dump or pg_restore on the database of `url`. The password goes by the environment, where no other user of the
 * machine reads it, and is in no message.
 *
 * @throws UsageError with what the program wrote, where it failed.
 */
export async function runTool(program: string, url: string, args: readonly string[]): Promise<void> {
  const { connection, password } = withoutPassword(url);
  const child = spawn(program, [`--dbname=${connection}`, '--no-password', ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LC_MESSAGES: 'C', ...(password && { PGPASSWORD: password }) },
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    words = (words + chunk).slice(-4000);
  });
  const code = await ended(child);
  if (code !== 0) throw new UsageError(`${basename(program)} failed (${code}):\n${words.trim()}`);
}

function withoutPassword(url: string): { connection: string; password: string } {
  const parsed = new URL(url);
  const { searchParams } = parsed;
  const password = searchParams.get('password') ?? decodeURIComponent(parsed.password);
  parsed.password = '';
  searchParams.delete('password');
  // node-postgres' own, which libpq refuses.
  searchParams.delete('uselibpqcompat');
  if (searchParams.get('sslmode') === 'no-verify') searchParams.set('sslmode', 'require');
  return { connection: parsed.href, password };
}
