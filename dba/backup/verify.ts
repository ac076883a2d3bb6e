import { withScratch } from '../../postgres/target/scratch.ts';
import type { Target } from '../../postgres/target/target.ts';
import { inspect } from '../inspect.ts';
import { loadBackup } from './load.ts';
import type { Manifest } from './manifest.ts';

/** The problems found in a backup. */
export interface Verification {
  /** Differences between the restored tables and the manifest, a sentence each. */
  readonly differences: readonly string[];
  /** Findings of the linter and of the attacks. */
  readonly findings: Awaited<ReturnType<typeof inspect>>;
}

/** Restores a backup to a scratch database on the target's server, then compares and inspects the result. */
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
