import { generateKeyPairSync } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { loadEnvironmentFile } from '../../../common/environmentFile.ts';
import { type PrivateJwk, privateKeys } from './privateKeys.ts';

loadEnvironmentFile();

/** The command line options. The first key of a set signs; all keys verify. */
interface Options {
  readonly next?: true;
  readonly switch?: true;
  readonly keep: number;
}

const program = new Command('npm run --silent keys --')
  .description('Print a value for JWT_PRIVATE_KEYS: a new first key, which signs, followed by the current keys.')
  .option('--next', 'put the new key second, so that every server knows it before it signs')
  .addOption(
    new Option('--switch', 'create no key; move the second key to the front, so that it signs').conflicts('next'),
  )
  .option('--keep <n>', 'the number of current keys to keep, from the front', wholeNumber, 1)
  .addHelpText(
    'after',
    `
Reads JWT_PRIVATE_KEYS from the environment or .env. Prints only the result to stdout, on one line. It is a secret.
Exit code: 0 success, 2 the command could not run.`,
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(async (options: Options) => {
    const given = privateKeys.optional().safeParse(process.env.JWT_PRIVATE_KEYS || undefined);
    if (!given.success) return program.error(`JWT_PRIVATE_KEYS ${given.error.issues[0]?.message}`);
    const current = given.data ?? [];
    if (options.switch && current.length < 2)
      return program.error('JWT_PRIVATE_KEYS has no second key to switch to. Add one with --next.');
    const keys = await arrange(current, options);
    console.log(JSON.stringify({ keys }));
    console.error(`Keys in the set: ${keys.length}. Signs: ${keys[0]?.kid}. Only verify: ${list(keys.slice(1))}.`);
    const removed = current.filter((key) => !keys.includes(key));
    if (removed.length > 0) console.error(`Removed keys, whose tokens are now refused: ${list(removed)}.`);
  });

async function arrange(current: readonly PrivateJwk[], options: Options): Promise<PrivateJwk[]> {
  const [first, second, ...others] = current;
  if (options.switch && first && second) return [second, first, ...others];
  const key = await newKey();
  if (options.next && first) return [first, key, ...current.slice(1, options.keep)];
  return [key, ...current.slice(0, options.keep)];
}

async function newKey(): Promise<PrivateJwk> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ format: 'jwk' }) as JWK;
  return { ...key, kid: await calculateJwkThumbprint(key), alg: 'ES256' } as PrivateJwk;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,2}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function list(keys: readonly PrivateJwk[]): string {
  return keys.map(({ kid }) => kid).join(', ') || 'none';
}

await program.parseAsync();
