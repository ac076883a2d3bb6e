import pg from 'pg';
import type { Catalog, Routine } from '../catalog.ts';

/** The routine with its argument types, as ALTER and regprocedure take it. */
export function signature({ sql, arguments: args }: Routine, { types }: Catalog): string {
  return `${sql}(${args.map(({ type }) => types.get(type)?.name).join(', ')})`;
}

/** Gives the function another body, in SQL; its name, arguments and grants stay, and what depends on it. */
export function replaceBody(routine: Routine, body: string, catalog: Catalog): string {
  const oid = `${pg.escapeLiteral(signature(routine, catalog))}::regprocedure`;
  return `do $mutant$ begin
  execute format('create or replace function %s(%s) returns %s language sql stable as %L', ${pg.escapeLiteral(routine.sql)},
    pg_get_function_arguments(${oid}), pg_get_function_result(${oid}), ${pg.escapeLiteral(body)});
end $mutant$`;
}
