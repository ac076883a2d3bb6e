import type { Registry } from 'prom-client';
import { readMetrics } from '../../http/readMetrics.ts';

/** The counters of subscriptions. */
export interface Live {
  readonly counts: {
    readonly sockets: number;
    readonly subscriptions: number;
    readonly delivered: number;
    readonly reconnects: number;
  };
}

/** Adds metrics for open sockets and subscriptions, sent events, and reconnects of the listener connection. */
export const liveMetrics =
  (live: Live) =>
  (registry: Registry): void => {
    const { counter, gauge } = readMetrics(registry);
    gauge('live_sockets', 'Authenticated WebSockets', () => live.counts.sockets);
    gauge('live_subscriptions', 'Active subscriptions', () => live.counts.subscriptions);
    counter('live_events_total', 'Events sent to subscribers', () => live.counts.delivered);
    counter('live_reconnects_total', 'Reconnects of the listener connection', () => live.counts.reconnects);
  };
