import { type Identity, valueWithoutTenant } from '../identity.ts';
import type { SeedData } from '../seedData/seedData.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { Actor, SqlAttack } from './sqlAttack.ts';

/** Actors without a tenant. */
export function actorsWithoutTenant({ nobody }: SeedData, identity: Identity): Actor[] {
  const anonymous = valueWithoutTenant(identity);
  return [
    ...(anonymous === undefined
      ? []
      : [{ name: `a session without a tenant (the setting is ${anonymous})`, identity: '', settingValue: anonymous }]),
    { name: 'a session without a tenant (the setting is empty)', identity: '' },
    { name: 'a session without a tenant (the setting is an unknown id)', identity: nobody },
    { name: 'a session without a tenant (the setting is not an id)', identity: 'not an id' },
  ];
}

/** The state of a new connection, in which the setting does not exist. */
export const unset: Actor = { name: 'a session without a tenant (the setting was never set)', identity: null };

/** Reads and writes without a tenant. They must see nothing and change nothing. */
export function attacksWithoutTenant({ relation, selected, updated, id }: AttackTarget, actor: Actor): SqlAttack[] {
  const table = relation.name;
  const columns = selected.map(({ name }) => id(name)).join(', ') || '*';
  const [column] = updated;
  return [
    {
      table,
      attack: 'select without a tenant',
      operation: 'other',
      actor,
      statements: [`select ${columns} from ${relation.sql}`],
    },
    {
      table,
      attack: 'delete without a tenant',
      operation: 'delete',
      actor,
      statements: [`delete from ${relation.sql}`],
    },
    ...(column
      ? [
          {
            table,
            attack: 'update without a tenant',
            operation: 'update' as const,
            actor,
            statements: [`update ${relation.sql} set ${id(column.name)} = ${id(column.name)}`],
          },
        ]
      : []),
  ];
}
