import { Counter, Gauge, type Registry } from 'prom-client';

/** Adds metrics to `registry` whose values another module counts. Each value is read when Prometheus scrapes. */
export function readMetrics(registry: Registry) {
  const registers = [registry];
  return {
    gauge: (name: string, help: string, read: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      }),
    counter: (name: string, help: string, read: () => number) =>
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(read());
        },
      }),
    /** A gauge for each value of `label`. */
    labelledGauge: (name: string, help: string, label: string, read: () => object) =>
      new Gauge({
        name,
        help,
        registers,
        labelNames: [label],
        collect() {
          for (const [value, count] of Object.entries(read())) this.set({ [label]: value }, count);
        },
      }),
    /** A counter for each value of `label`. */
    labelled: (name: string, help: string, label: string, read: () => object) =>
      new Counter({
        name,
        help,
        registers,
        labelNames: [label],
        collect() {
          this.reset();
          for (const [value, count] of Object.entries(read())) this.inc({ [label]: value }, count);
        },
      }),
  };
}
