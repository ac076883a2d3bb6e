import { cpus, loadavg, totalmem } from 'node:os';

/** The machine in a few words. */
export function machine(): string {
  const [first] = cpus();
  return `${cpus().length} × ${first?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform}`;
}

/** A note where the machine has other work: what is measured in turns is slowed down alike, and figures are not. */
export function loadNotes(): string[] {
  const [load = 0] = loadavg();
  return load > cpus().length / 2
    ? [`The machine had other work when this began (load ${load.toFixed(1)}): trust ratios only.`]
    : [];
}
