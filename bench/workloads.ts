import type pg from 'pg';
import type { List, Subject, Todo } from './apis/api.ts';

export const workloadNames = ['list', 'byId', 'create', 'nested', 'update', 'deep', 'deepCursor'] as const;
export type WorkloadName = (typeof workloadNames)[number];

export interface Workload {
  /** Name for display. */
  readonly title: string;
  /** Whether it leaves rows behind that must be deleted. */
  readonly writes: boolean;
  /** Reads the expected answer from the tables as the superuser, after the answer has arrived. */
  expected(admin: pg.Client, subject: Subject, answer: readonly { readonly id: string }[]): Promise<Todo[] | List[]>;
}

const fields = `id::text, title, completed, priority, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "createdAt"`;

const page =
  (offset: number) =>
  (admin: pg.Client, { tenant }: Subject) =>
    select<Todo>(admin, `where user_id = $1 order by created_at desc, id limit 20 offset ${offset}`, [tenant.userId]);

const select = async <Row extends pg.QueryResultRow>(admin: pg.Client, rest: string, values: unknown[]) =>
  (await admin.query<Row>(`select ${fields} from app_public.todos ${rest}`, values)).rows;

export const workloads: Readonly<Record<WorkloadName, Workload>> = {
  list: { title: 'list: the newest 20 todos, 5 fields', writes: false, expected: page(0) },
  byId: {
    title: 'by id: one todo',
    writes: false,
    expected: (admin, { tenant, todoId }) =>
      select<Todo>(admin, 'where user_id = $1 and id = $2', [tenant.userId, todoId]),
  },
  create: {
    title: 'create: one todo',
    writes: true,
    expected: (admin, { tenant, listId }, [answer]) =>
      select<Todo>(
        admin,
        "where user_id = $1 and list_id = $2 and id = $3 and created_at > now() - interval '1 minute'",
        [tenant.userId, listId, answer?.id],
      ),
  },
  nested: {
    title: 'nested: 10 lists, each with its 5 newest todos and their count',
    writes: false,
    expected: async (admin, { tenant }) => {
      const { rows } = await admin.query<List>(
        `select l.id::text, l.name,
           (select count(*)::int from app_public.todos t where t.user_id = $1 and t.list_id = l.id) as "todoCount",
           array(
             select json_build_object('id', t.id, 'title', t.title) from app_public.todos t
             where t.user_id = $1 and t.list_id = l.id order by t.created_at desc, t.id limit 5
           ) as todos
         from app_public.lists l where l.user_id = $1 order by l.name`,
        [tenant.userId],
      );
      return rows;
    },
  },
  update: {
    title: 'update: completed set by id',
    writes: true,
    expected: (admin, { tenant, todoId }) =>
      select<Todo>(admin, "where user_id = $1 and id = $2 and completed and updated_at > now() - interval '1 minute'", [
        tenant.userId,
        todoId,
      ]),
  },
  deep: { title: 'deep: 20 of 1,000 todos after the first 900, by offset', writes: false, expected: page(900) },
  deepCursor: { title: 'deep: the same page by cursor', writes: false, expected: page(900) },
};

/** Compares an answer with the tenant's rows. @throws unless it has exactly these rows in order. */
export async function verify(
  workload: Workload,
  admin: pg.Client,
  subject: Subject,
  answer: readonly { readonly id: string }[],
): Promise<void> {
  const expected = await workload.expected(admin, subject, answer);
  const [got, want] = [answer, expected].map((rows) => JSON.stringify(rows));
  if (expected.length === 0 || got !== want)
    throw new Error(`wrong answer: got ${got?.slice(0, 300)}, expected ${want?.slice(0, 300)}`);
}
