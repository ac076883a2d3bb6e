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
  /** The time of the snapshot. */
  createdAt: z.iso.datetime(),
  database: z.string(),
  /** Major version of the server. */
  server: z.number().int(),
  /** Size of the database, in bytes. */
  databaseBytes: z.number().int(),
  /** Size of the backup file, in bytes. */
  bytes: z.number().int(),
  /** Hash of the backup file, in hex. */
  sha256: z.string(),
  tables: z.array(tableContent),
});

/** The contents of a backup. `backup` writes the manifest beside the backup file. */
export type Manifest = z.infer<typeof manifest>;

export function manifestFile(file: string): string {
  return `${file}.json`;
}

/**
 * Reads the manifest of the backup `file` and checks the file's hash.
 *
 * @throws UsageError if the manifest is missing or invalid, or if the hash differs.
 */
export async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(manifestFile(file), 'utf8').catch(() => {
    throw new UsageError(
      `Cannot read ${manifestFile(file)}. \`backup\` writes this manifest beside the backup; without it the contents cannot be verified. Copy it next to the backup.`,
    );
  });
  const { data, error } = manifest.safeParse(parseJson(text));
  if (!data) throw new UsageError(`${manifestFile(file)} is not a valid manifest: ${z.prettifyError(error)}`);
  if ((await sha256(file)) !== data.sha256) {
    throw new UsageError(
      `${file} was changed or damaged: its SHA-256 differs from that in ${manifestFile(file)}. Use another backup.`,
    );
  }
  return data;
}

/** @throws UsageError if the file cannot be read. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash).catch((error) => {
    throw new UsageError(`Cannot read ${file}: ${error.message}`);
  });
  return hash.digest('hex');
}
