import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { UsageError } from '../../common/usageError.ts';

const forwarded: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/**
 * Waits until `child` ends. Forwards signals to the child, which decides whether to end.
 *
 * @returns the exit code; 128 plus the signal number if a signal ended the child, as in a shell.
 * @throws UsageError if the child cannot start.
 */
export async function exitCodeOf(child: ChildProcess): Promise<number> {
  const forward = (signal: NodeJS.Signals) => {
    // On a terminal, Ctrl-C reaches the child anyway: both are in the foreground process group.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, forward);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    throw new UsageError(`Cannot run ${child.spawnfile}: ${(error as Error).message}`);
  } finally {
    for (const signal of forwarded) process.off(signal, forward);
  }
}
