import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** CPU time that a server's process and Postgres have used so far, in milliseconds. */
export interface CpuTimes {
  readonly node: number;
  readonly postgres: number;
}

const ticksPerSecond = 100;

/** CPU time comes from /proc, which only Linux has. Elsewhere the figures are NaN. */
const canMeasureCpu = existsSync('/proc/self/stat');

/** Reads the CPU times. @param postmaster process id of the postmaster; its children count too, also ended ones. */
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
    return undefined; // The process has ended.
  }
  // Skip the second field: the command's name in parentheses may contain spaces.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const milliseconds = (...indices: number[]) =>
    indices.reduce((sum, index) => sum + (fields[index] ?? 0), 0) * (1000 / ticksPerSecond);
  return { pid, parent: fields[1], own: milliseconds(11, 12), ofEnded: milliseconds(13, 14) };
}
