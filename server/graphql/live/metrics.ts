import type { Registry } from 'prom-client';
import { readMetrics } from '../../http/readMetrics.ts';

/** Metrics of subscriptions. */
export interface Live {
  readonly counts: {
    readonly sockets: number;
    readonly subscriptions: number;
    readonly delivered: number;
    readonly reconnects: number;
  };
}

/** Adds the sockets and subscriptions that are open, events sent, and how often the listening connection was lost. */
export const liveMetrics =
  (live: Live) =>
  (registry: Registry): void => {
    const { counter, gauge } = readMetrics(registry);
    gauge('live_sockets', 'Websockets that are signed in', () => live.counts.sockets);
    gauge('live_subscriptions', 'Subscriptions under way', () => live.counts.subscriptions);
    counter('live_events_total', 'Events sent to subscribers', () => live.counts.delivered);
    counter(
      'live_reconnects_total',
      'Times that the listening connection was opened again',
      () => live.counts.reconnects,
    );
  };
