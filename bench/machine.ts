import { cpus, loadavg, totalmem } from 'node:os';

/** Describes the machine in one line. */
export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`;
}

/** Returns a note if the machine is busy. Ratios of turns stay comparable then, single figures do not. */
export function loadNotes(): string[] {
  const [load = 0] = loadavg();
  return load > cpus().length / 2
    ? [`The machine was busy at the start (load ${load.toFixed(1)}). Trust ratios only.`]
    : [];
}
