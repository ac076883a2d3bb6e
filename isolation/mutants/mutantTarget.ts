import type { Catalog, Policy, Relation, Routine } from '../catalog.ts';
import { tenantSettings } from '../identity.ts';

/** The tables that can hold tenants' rows. Views hold no rows. */
export function tablesOf({ relations }: Catalog): Relation[] {
  return [...relations.values()].filter(({ kind }) => kind === 'table' || kind === 'partitioned');
}

/** All policies, each with its table. */
export function policiesOf(catalog: Catalog): { table: Relation; policy: Policy }[] {
  return tablesOf(catalog).flatMap((table) => table.policies.map((policy) => ({ table, policy })));
}

/** The policy's name in reports. */
export function policyName({ name }: Relation, policy: Policy): string {
  return `policy ${policy.name} on ${name}`;
}

/** The commands that policies restrict. */
export const commands = ['select', 'insert', 'update', 'delete'] as const;
export type Command = (typeof commands)[number];

/** Markers of an expression that reads the current identity: the setting, or a call of a function in a policy. */
export function identityMarkers(catalog: Catalog): string[] {
  return [...tenantSettings(catalog), ...functionsInPolicies(catalog).map(callOf)];
}

const callOf = ({ sql }: Routine) => `${sql.slice(sql.lastIndexOf('.') + 1)}(`;

/** The functions that policies and column defaults call, directly or through other functions. */
export function functionsInPolicies({ relations, routines }: Catalog): Routine[] {
  const texts = [...relations.values()].flatMap(({ policies, columns }) => [
    ...policies.flatMap(({ using, check }) => [using ?? '', check ?? '']),
    ...columns.map((column) => column.default ?? ''),
  ]);
  const called = new Set<Routine>();
  for (let before = -1; before < called.size; ) {
    before = called.size;
    for (const routine of routines) if (texts.some((text) => text.includes(callOf(routine)))) called.add(routine);
    texts.push(...[...called].map(({ source }) => source));
  }
  return [...called];
}
