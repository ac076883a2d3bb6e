import { generateKeyPairSync } from 'node:crypto';
import { Command, InvalidArgumentError, Option } from 'commander';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { loadEnvironmentFile } from '../../../common/environmentFile.ts';
import { type PrivateJwk, privateKeys } from './privateKeys.ts';

loadEnvironmentFile();

/** What can be done with the keys that there are: the first signs, all of them verify. */
interface Options {
  readonly next?: true;
  readonly switch?: true;
  readonly keep: number;
}

const program = new Command('npm run --silent keys --')
  .description('Print a value for JWT_PRIVATE_KEYS: a new key in front, which signs, and the present ones behind it.')
  .option('--next', 'put the new key second: every server learns it, and the first still signs')
  .addOption(new Option('--switch', 'make no key: put the second in front, so that it signs').conflicts('next'))
  .option('--keep <n>', 'how many of the present keys stay, from the front', wholeNumber, 1)
  .addHelpText(
    'after',
    `
Reads JWT_PRIVATE_KEYS from the environment or .env; only the result goes to stdout, on one line. It is a secret.
Exit code: 0 fine, 2 could not run.`,
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(async (options: Options) => {
    const given = privateKeys.optional().safeParse(process.env.JWT_PRIVATE_KEYS || undefined);
    if (!given.success) return program.error(`JWT_PRIVATE_KEYS ${given.error.issues[0]?.message}`);
    const present = given.data ?? [];
    if (options.switch && present.length < 2) return program.error('JWT_PRIVATE_KEYS has no second key to switch to.');
    const keys = await arrange(present, options);
    console.log(JSON.stringify({ keys }));
    console.error(`${keys.length} in the set. Signs: ${keys[0]?.kid}. Only verify: ${list(keys.slice(1))}.`);
    const gone = present.filter((key) => !keys.includes(key));
    if (gone.length > 0) console.error(`Left out, so that what they signed is refused: ${list(gone)}.`);
  });

async function arrange(present: readonly PrivateJwk[], options: Options): Promise<PrivateJwk[]> {
  const [first, second, ...others] = present;
  if (options.switch && first && second) return [second, first, ...others];
  const key = await newKey();
  if (options.next && first) return [first, key, ...present.slice(1, options.keep)];
  return [key, ...present.slice(0, options.keep)];
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
