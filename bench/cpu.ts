import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** CPU milliseconds that a server's process and Postgres have used so far. */
export interface CpuTimes {
  readonly node: number;
  readonly postgres: number;
}

const ticksPerSecond = 100;

/** Linux tells a process's CPU time in /proc; elsewhere nothing is measured. */
const canMeasureCpu = existsSync('/proc/self/stat');

/** @param postmaster its children's time counts, that of ended ones too. */
export function cpuTimes(server: number | undefined, postmaster: number): CpuTimes {
  if (!canMeasureCpu) return { node: Number.NaN, postgres: Number.NaN };
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (stat(Number(name)) ?? []) : []));
  const main = all.find(({ pid }) => pid === postmaster);
  const children = all.filter(({ parent }) => parent === postmaster);
  return {
    node: all.find(({ pid }) => pid === server)?.own ?? 0,
    postgres: children.reduce((sum, { own }) => sum + own, (main?.own ?? 0) + (main?.ofEnded ?? 0)),
  };
}

function stat(pid: number) {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined; // It ended meanwhile.
  }
  // The second field is the command's name in parentheses, and may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const milliseconds = (...indices: number[]) =>
    indices.reduce((sum, index) => sum + (fields[index] ?? 0), 0) * (1000 / ticksPerSecond);
  return { pid, parent: fields[1], own: milliseconds(11, 12), ofEnded: milliseconds(13, 14) };
}
