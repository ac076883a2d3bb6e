import type { Registry } from 'prom-client';
import { readMetrics } from '../http/readMetrics.ts';
import type { Admission } from './admission.ts';

/**
 * Adds the turns of tenants. No label names a tenant, of whom there may be any number: the log names those that are
 * refused.
 */
export const admissionMetrics =
  (admission: Admission) =>
  (registry: Registry): void => {
    const { counts } = admission;
    const { counter, gauge, labelled } = readMetrics(registry);
    gauge('admission_running', 'Requests of tenants that run', () => admission.load.running);
    gauge('admission_waiting', 'Requests of tenants that wait for their turn', () => admission.load.waiting);
    gauge('admission_tenants', 'Tenants with requests that run or wait', () => admission.load.tenants);
    counter('admission_admitted_total', 'Requests of tenants that were admitted', () => counts.admitted);
    counter('admission_waits_total', 'Requests of tenants that waited for their turn', () => counts.waited);
    counter('admission_wait_seconds_total', 'Time that requests waited for their turn', () => counts.waitSeconds);
    counter(
      'admission_pauses_total',
      'Times that a tenant had to pause because it had held the event loop',
      () => counts.pauses,
    );
    labelled('admission_refused_total', 'Requests of tenants that were refused', 'reason', () => counts.refused);
  };
