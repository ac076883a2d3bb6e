import { withScratch } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { inspect } from '../inspect.ts';
import { loadBackup } from './load.ts';
import type { Manifest } from './manifest.ts';

/** What is wrong with a backup. */
export interface Verification {
  /** Tables that are not what the manifest tells: a sentence each. */
  readonly differences: readonly string[];
  readonly findings: Awaited<ReturnType<typeof inspect>>;
}

/** Restores a backup to a scratch database on the target's server, and compares and inspects what came of it. */
export async function verifyBackup(
  target: Target,
  file: string,
  manifest: Manifest,
  attacks: boolean,
): Promise<Verification> {
  return withScratch(target, async (scratch) => ({
    differences: await loadBackup(file, manifest, scratch.adminUrl as string),
    findings: await inspect(scratch, { text: 'none', attacks }),
  }));
}
