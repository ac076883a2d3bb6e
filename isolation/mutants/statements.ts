import pg from 'pg';
import type { Catalog, Policy, Relation, Routine } from '../catalog.ts';

/** Drops a policy and creates it with changes, because ALTER POLICY can remove neither WITH CHECK nor RESTRICTIVE. */
export function recreatePolicy(table: Relation, policy: Policy, changes: Partial<Policy>): string {
  const { name, permissive, command, roles, using, check } = { ...policy, ...changes };
  return `${dropPolicyStatement(table, policy)};
create policy ${pg.escapeIdentifier(name)} on ${table.sql} as ${permissive ? 'permissive' : 'restrictive'}
  for ${command} to ${roles.join(', ')}${using ? ` using (${using})` : ''}${check ? ` with check (${check})` : ''}`;
}

export function dropPolicyStatement(table: Relation, { name }: Policy): string {
  return `drop policy ${pg.escapeIdentifier(name)} on ${table.sql}`;
}

/** @param action the part of the statement after the table's name. */
export function alterPolicy(table: Relation, { name }: Policy, action: string): string {
  return `alter policy ${pg.escapeIdentifier(name)} on ${table.sql} ${action}`;
}

/** The routine's name and argument types, in the form that ALTER ROUTINE and regprocedure accept. */
export function signature({ sql, arguments: args }: Routine, { types }: Catalog): string {
  return `${sql}(${args.map(({ type }) => types.get(type)?.name).join(', ')})`;
}

/** Replaces a function's body with SQL. The function keeps its name, arguments, grants and dependent objects. */
export function replaceBody(routine: Routine, body: string, catalog: Catalog): string {
  const oid = `${pg.escapeLiteral(signature(routine, catalog))}::regprocedure`;
  return `do $mutant$ begin
  execute format('create or replace function %s(%s) returns %s language sql stable as %L', ${pg.escapeLiteral(routine.sql)},
    pg_get_function_arguments(${oid}), pg_get_function_result(${oid}), ${pg.escapeLiteral(body)});
end $mutant$`;
}
