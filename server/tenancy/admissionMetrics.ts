import type { Registry } from 'prom-client';
import { readMetrics } from '../http/readMetrics.ts';
import type { Admission } from './admission.ts';

/**
 * Adds metrics about the turns of tenants. No label names a tenant, because the number of tenants is unlimited. The log
 * names the tenants that are refused.
 */
export const admissionMetrics =
  (admission: Admission) =>
  (registry: Registry): void => {
    const { counts } = admission;
    const { counter, gauge, labelled } = readMetrics(registry);
    gauge('admission_running', 'Running requests of tenants', () => admission.load.running);
    gauge('admission_waiting', 'Requests of tenants that wait for a turn', () => admission.load.waiting);
    gauge('admission_tenants', 'Tenants with running or waiting requests', () => admission.load.tenants);
    counter('admission_admitted_total', 'Requests of tenants that were admitted', () => counts.admitted);
    counter('admission_waits_total', 'Requests of tenants that waited for a turn', () => counts.waited);
    counter('admission_wait_seconds_total', 'Time that requests waited for a turn', () => counts.waitSeconds);
    counter('admission_pauses_total', 'Pauses of tenants that had held the event loop', () => counts.pauses);
    labelled('admission_refused_total', 'Requests of tenants that were refused', 'reason', () => counts.refused);
  };
