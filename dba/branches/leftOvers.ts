import { isAlive } from '../../postgres/embedded/lock.ts';
import { machine } from '../../postgres/target/scratch.ts';
import type { Branches } from './branch.ts';

/** The name of a branch that goes with this process. */
export function passingName(kind: 'rehearsal' | 'restore'): string {
  return `${kind}-${machine}-${process.pid}`;
}

/** Drops the branches of that kind whose processes were killed. */
export async function dropLeftOvers(branches: Branches, kind: 'rehearsal' | 'restore'): Promise<void> {
  for (const { name } of await branches.list()) {
    const [, of, where, pid] = /^([a-z]+)-([0-9a-f]{8})-(\d+)$/.exec(name) ?? [];
    if (of !== kind || where !== machine || isAlive(Number(pid))) continue;
    console.error(`Dropping branch ${name}: its ${kind} broke off`);
    await branches.drop(name, { disconnect: true });
  }
}
