import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { UsageError } from '../../common/usageError.ts';

const passed: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/**
 * Waits until `child` ends. What signals tell us meanwhile is told to it, and it is for the child to end or not.
 *
 * @returns its exit code; as shells have it, 128 and the signal's number where a signal ended it.
 * @throws UsageError where it could not be started.
 */
export async function ended(child: ChildProcess): Promise<number> {
  const pass = (signal: NodeJS.Signals) => {
    // Ctrl-C on a terminal goes to the child as well, by itself.
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of passed) process.on(signal, pass);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    return code ?? 128 + constants.signals[signal as NodeJS.Signals];
  } catch (error) {
    throw new UsageError(`${child.spawnfile} could not be run: ${(error as Error).message}`);
  } finally {
    for (const signal of passed) process.off(signal, pass);
  }
}
