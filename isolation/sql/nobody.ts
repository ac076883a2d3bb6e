import { type Identity, valueWithoutTenant } from '../identity.ts';
import type { SeedData } from '../seedData/seedData.ts';
import type { AttackTarget } from './attackTarget.ts';
import type { Actor, SqlAttack } from './sqlAttack.ts';

/** Actors without a tenant. */
export function nobodies({ nobody }: SeedData, identity: Identity): Actor[] {
  const anonymous = valueWithoutTenant(identity);
  return [
    ...(anonymous === undefined
      ? []
      : [{ name: `nobody, the setting is ${anonymous}`, identity: '', settingValue: anonymous }]),
    { name: 'nobody, the setting is empty', identity: '' },
    { name: 'nobody, the setting is an id of no tenant', identity: nobody },
    { name: 'nobody, the setting is no id at all', identity: 'not an id' },
  ];
}

/** The state of a new connection, in which the setting does not exist. */
export const unset: Actor = { name: 'nobody, the setting was never set', identity: null };

/** Reads and writes without a tenant. They must see nothing and change nothing. */
export function asNobody({ relation, selected, updated, id }: AttackTarget, actor: Actor): SqlAttack[] {
  const table = relation.name;
  const columns = selected.map(({ name }) => id(name)).join(', ') || '*';
  const [column] = updated;
  return [
    {
      table,
      attack: 'select as nobody',
      operation: 'other',
      actor,
      statements: [`select ${columns} from ${relation.sql}`],
    },
    { table, attack: 'delete as nobody', operation: 'delete', actor, statements: [`delete from ${relation.sql}`] },
    ...(column
      ? [
          {
            table,
            attack: 'update as nobody',
            operation: 'update' as const,
            actor,
            statements: [`update ${relation.sql} set ${id(column.name)} = ${id(column.name)}`],
          },
        ]
      : []),
  ];
}
