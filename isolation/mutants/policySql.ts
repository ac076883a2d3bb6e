import pg from 'pg';
import type { Policy, Relation } from '../catalog.ts';

/** The policy made again with some of it changed: ALTER POLICY can take away neither WITH CHECK nor RESTRICTIVE. */
export function recreate(table: Relation, policy: Policy, changes: Partial<Policy>): string {
  const { name, permissive, command, roles, using, check } = { ...policy, ...changes };
  return `${drop(table, policy)};
create policy ${pg.escapeIdentifier(name)} on ${table.sql} as ${permissive ? 'permissive' : 'restrictive'}
  for ${command} to ${roles.join(', ')}${using ? ` using (${using})` : ''}${check ? ` with check (${check})` : ''}`;
}

export function drop(table: Relation, { name }: Policy): string {
  return `drop policy ${pg.escapeIdentifier(name)} on ${table.sql}`;
}

/** ALTER POLICY with what follows. */
export function alter(table: Relation, { name }: Policy, rest: string): string {
  return `alter policy ${pg.escapeIdentifier(name)} on ${table.sql} ${rest}`;
}
