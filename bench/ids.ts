/** Todos of each tenant, spread over its lists. */
export const todosPerTenant = 1000;
export const listsPerTenant = 10;

/** Every filled row is older than this date. Rows of workloads are newer, which identifies them for deletion. */
export const filledUntil = '2025-12-31';

/** SQL for a version 4 UUID derived from a text, so that every run has the same ids. */
const uuid = (text: string) => `overlay(overlay(md5(${text}) placing '4' from 13) placing '8' from 17)::uuid`;

/** SQL for ids. `tenant` is a tenant's number from 0; `list` and `todo` are numbers within the tenant. */
export const idOf = {
  user: (tenant: string) => uuid(`'user ' || ${tenant}`),
  session: (tenant: string) => uuid(`'session ' || ${tenant}`),
  list: (tenant: string, list: string) => uuid(`'list ' || ${tenant} || ' ' || ${list}`),
  todo: (tenant: string, todo: string) => uuid(`'todo ' || ${tenant} || ' ' || ${todo}`),
};

/** Selects the tenants of the load: up to a hundred, at equal distances. */
export function selectTenants(rows: number): { count: number; step: number } {
  const all = rows / todosPerTenant;
  const count = Math.min(100, all);
  return { count, step: Math.floor(all / count) };
}
