import { newTodo } from './apis/api.ts';
import { idOf, listsPerTenant, selectTenants, todosPerTenant } from './ids.ts';
import type { WorkloadName } from './workloads.ts';

const fields = 'id, title, completed, priority, created_at';
const newest = 'order by created_at desc, id';

function statement(workload: WorkloadName, todo: string, list: string): string {
  switch (workload) {
    case 'list':
      return `select ${fields} from app_public.todos ${newest} limit 20`;
    case 'byId':
      return `select ${fields} from app_public.todos where id = ${todo}`;
    case 'create':
      return `insert into app_public.todos (title, priority, list_id)
        values ('${newTodo.title}', ${newTodo.priority}, ${list}) returning ${fields}`;
    case 'nested':
      return `select l.id, l.name, t.newest, c.count from app_public.lists l,
        lateral (select count(*) from app_public.todos where list_id = l.id) c,
        lateral (select json_agg(json_build_object('id', n.id, 'title', n.title)) as newest
          from (select id, title from app_public.todos where list_id = l.id ${newest} limit 5) n) t
        order by l.name limit 10`;
    case 'update':
      return `update app_public.todos set completed = true where id = ${todo} returning ${fields}`;
    case 'deep':
      return `select ${fields} from app_public.todos ${newest} limit 20 offset 900`;
    case 'deepCursor':
      // The filled todos of a tenant are a minute apart, so this is the end of the newest 900.
      return `select ${fields} from app_public.todos
        where created_at < timestamptz '2025-01-01' + interval '100 minutes' ${newest} limit 20`;
  }
}

/** Builds a pgbench script in which each transaction runs as a random tenant with a random todo or list. */
export function pgbenchScript(workload: WorkloadName, rows: number, oneTrip: boolean): string {
  const { count, step } = selectTenants(rows);
  const random = `\\set tenant ${step} * random(0, ${count - 1})
\\set todo random(0, ${todosPerTenant - 1})
\\set list random(0, ${listsPerTenant - 1})
`;
  const identity = `select set_config('role', 'hedgerow_tenant', true),
    set_config('app.current_user_id', ${idOf.user(':tenant')}::text, true)`;
  const work = statement(workload, idOf.todo(':tenant', ':todo'), idOf.list(':tenant', ':list'));
  if (!oneTrip) return `${random}begin;\n${identity};\n${work};\nend;\n`;
  // pgbench prepares the statements of a pipeline before the first one sets the role.
  const once = (lines: string) => `\\if :prepared = 0\n${lines}\n\\endif\n`;
  const pipeline = `\\startpipeline\n${identity};\n${work};\n\\endpipeline\n`;
  return `${random}${once('set role hedgerow_tenant;')}${pipeline}${once('reset role;\n\\set prepared 1')}`;
}
