/** Todos that each tenant has, in ten lists. */
export const todosPerTenant = 1000;
export const listsPerTenant = 10;

/** All that the fill makes is older: what the workloads add is not, nor what a run leaves that was interrupted. */
export const filledUntil = '2025-12-31';

/** SQL for a UUID of version 4 that is made from a text, so that every run has the same ones. */
const uuid = (text: string) => `overlay(overlay(md5(${text}) placing '4' from 13) placing '8' from 17)::uuid`;

/** SQL for ids. `tenant` is a tenant's number, counted from 0; lists and todos are counted within the tenant. */
export const idOf = {
  user: (tenant: string) => uuid(`'user ' || ${tenant}`),
  session: (tenant: string) => uuid(`'session ' || ${tenant}`),
  list: (tenant: string, list: string) => uuid(`'list ' || ${tenant} || ' ' || ${list}`),
  todo: (tenant: string, todo: string) => uuid(`'todo ' || ${tenant} || ' ' || ${todo}`),
};

/** The tenants that the load is spread over: a hundred where there are as many, every so-manyth of all. */
export function selectTenants(rows: number): { count: number; step: number } {
  const all = rows / todosPerTenant;
  const count = Math.min(100, all);
  return { count, step: Math.floor(all / count) };
}
