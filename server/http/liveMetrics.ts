import { Counter, Gauge, type Registry } from 'prom-client';

/** What subscriptions count by themselves. */
export interface Live {
  readonly counts: {
    readonly sockets: number;
    readonly subscriptions: number;
    readonly delivered: number;
    readonly reconnects: number;
  };
}

/** Adds the sockets and subscriptions that are open, events sent, and how often the listening connection was lost. */
export function registerLiveMetrics(registry: Registry, live: Live): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read());
      },
    });
  gauge('live_sockets', 'Websockets that are signed in', () => live.counts.sockets);
  gauge('live_subscriptions', 'Subscriptions under way', () => live.counts.subscriptions);

  const counter = (name: string, help: string, read: () => number) =>
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  counter('live_events_total', 'Events sent to subscribers', () => live.counts.delivered);
  counter(
    'live_reconnects_total',
    'Times that the listening connection was opened again',
    () => live.counts.reconnects,
  );
}
