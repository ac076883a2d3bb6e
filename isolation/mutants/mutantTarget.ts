import type { Catalog, Policy, Relation, Routine } from '../catalog.ts';

/** Everything that holds rows of tenants, or could: not views. */
export function tablesOf({ relations }: Catalog): Relation[] {
  return [...relations.values()].filter(({ kind }) => kind === 'table' || kind === 'partitioned');
}

/** Each policy with its table. */
export function policiesOf(catalog: Catalog): { table: Relation; policy: Policy }[] {
  return tablesOf(catalog).flatMap((table) => table.policies.map((policy) => ({ table, policy })));
}

/** What a policy is called in a report. */
export function policyName({ name }: Relation, policy: Policy): string {
  return `policy ${policy.name} on ${name}`;
}

/** What the role does with rows under policies, as far as it may do any of it. */
export const commands = ['select', 'insert', 'update', 'delete'] as const;
export type Command = (typeof commands)[number];

/** What an expression that asks who is asking has in it: the setting, or a call of a function that policies ask. */
export function identities(catalog: Catalog): string[] {
  return [catalog.setting, ...askedByPolicies(catalog).map(bare)];
}

const bare = ({ sql }: Routine) => `${sql.slice(sql.lastIndexOf('.') + 1)}(`;

/** The functions that policies and defaults ask, with what those ask in turn. */
export function askedByPolicies({ relations, routines }: Catalog): Routine[] {
  const texts = [...relations.values()].flatMap(({ policies, columns }) => [
    ...policies.flatMap(({ using, check }) => [using ?? '', check ?? '']),
    ...columns.map((column) => column.default ?? ''),
  ]);
  const asked = new Set<Routine>();
  for (let before = -1; before < asked.size; ) {
    before = asked.size;
    for (const routine of routines) if (texts.some((text) => text.includes(bare(routine)))) asked.add(routine);
    texts.push(...[...asked].map(({ source }) => source));
  }
  return [...asked];
}
