import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import {
  calculateHash,
  isNoTransactionDefined,
  migrationFilenameMatches,
  parseMigrationText,
} from '../internals/graphileMigrate.ts';

/** A file of migrations/committed as graphile-migrate reads it. */
export interface CommittedMigration {
  /** `000007-tags.sql`. */
  readonly filename: string;
  readonly number: number;
  /** The hash of the migration before this one, as its header says; null of the first. */
  readonly previous: string | null;
  /** The hash in the header. */
  readonly hash: string;
  /** The hash of the body, as graphile-migrate computes it for the header. */
  readonly bodyHash: string;
  readonly message: string | null;
  readonly body: string;
  /** False with `--! no-transaction`: a migration that fails halfway is then not rolled back. */
  readonly transaction: boolean;
}

/** The suffix of a migration's file name while `rebase` commits that migration again. */
export const asideSuffix = '.rebase';

export const committedFolder = join(root, 'migrations', 'committed');

/** Reads the committed migrations, ordered by number. `unreadable` has a sentence for each file that is not a migration. */
export async function readCommitted(): Promise<{ migrations: CommittedMigration[]; unreadable: string[] }> {
  const migrations: CommittedMigration[] = [];
  const unreadable: string[] = [];
  for (const filename of (await readdir(committedFolder)).sort()) {
    if (filename.startsWith('.')) continue;
    const read = parse(filename, await readFile(join(committedFolder, filename), 'utf8'));
    if (typeof read === 'string') unreadable.push(`${filename} ${read}`);
    else migrations.push(read);
  }
  migrations.sort((a, b) => a.number - b.number);
  return { migrations, unreadable };
}

function parse(filename: string, text: string): CommittedMigration | string {
  const number = Number.parseInt(migrationFilenameMatches(filename)?.[1] ?? '', 10);
  if (filename.endsWith(asideSuffix)) {
    return `is what a rebase that broke off put aside: take ${asideSuffix} off its name, and run it again with --mine`;
  }
  if (Number.isNaN(number)) return 'is not named like a migration, 000001-words.sql: it is never applied';
  if (/^(<{7}|>{7}) /m.test(text)) return 'has the marks of a merge conflict in it';
  if (text.startsWith('\ufeff')) return 'begins with a byte order mark, which its hash does not: save it without BOM';
  if (text.includes('\r\n')) return 'has CRLF line ends, which its hash does not: have git keep LF';
  let parsed: ReturnType<typeof parseMigrationText>;
  try {
    parsed = parseMigrationText(filename, text);
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`;
  }
  const { Previous, Hash, Message = null, ...headers } = parsed.headers;
  if (!Previous || !Hash) return 'needs the headers "--! Previous:" and "--! Hash:"';
  const previous = Previous === '-' ? null : Previous;
  const { body } = parsed;
  const bodyHash = 'AllowInvalidHash' in headers ? Hash : calculateHash(body, previous);
  const transaction = !isNoTransactionDefined(body);
  return { filename, number, previous, hash: Hash, bodyHash, message: Message, body, transaction };
}
