import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { parseJson } from '../../common/parseJson.ts';
import { UsageError } from '../../common/usageError.ts';
import { tableContent } from './measure.ts';

const manifest = z.object({
  format: z.literal('hedgerow backup 1'),
  /** When its snapshot was taken. */
  createdAt: z.iso.datetime(),
  database: z.string(),
  /** Major version of the server. */
  server: z.number().int(),
  /** Bytes of the database, and of the file. */
  databaseBytes: z.number().int(),
  bytes: z.number().int(),
  /** Of the file, in hex. */
  sha256: z.string(),
  tables: z.array(tableContent),
});

/** What a backup holds, written beside it when it was made. */
export type Manifest = z.infer<typeof manifest>;

export function manifestFile(file: string): string {
  return `${file}.json`;
}

/**
 * The manifest of the backup `file`.
 *
 * @throws UsageError where there is none, and where the file is not the one that it was written for.
 */
export async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(manifestFile(file), 'utf8').catch(() => {
    throw new UsageError(
      `${manifestFile(file)} cannot be read: \`backup\` writes it beside the backup, and without it nobody knows what the backup should hold.`,
    );
  });
  const { data, error } = manifest.safeParse(parseJson(text));
  if (!data) throw new UsageError(`${manifestFile(file)} is not a backup's manifest: ${z.prettifyError(error)}`);
  if ((await sha256(file)) !== data.sha256) {
    throw new UsageError(`${file} is not as it was written: its SHA-256 is not that of ${manifestFile(file)}.`);
  }
  return data;
}

/** @throws UsageError where the file cannot be read. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash).catch((error) => {
    throw new UsageError(`${file} cannot be read: ${error.message}`);
  });
  return hash.digest('hex');
}
