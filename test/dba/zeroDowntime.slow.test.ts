import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../../common/root.ts';
import { graphql, serve, signUp, type Tenant, type TestServer } from '../support/server.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

type Server = Omit<TestServer, 'db'>;

let bench: Workbench;
let steps: { readonly sql: string[]; readonly commands: string[][] };
const servers: Server[] = [];
let traffic: ReturnType<typeof work>[] = [];
beforeAll(async () => {
  bench = await openWorkbench();
  steps = await documented();
});
afterAll(async () => {
  await Promise.all(traffic.map((one) => one.stop()));
  await Promise.all(servers.map((server) => server.close()));
  await bench.remove();
});

test('a column gets another name while tenants work: no request fails, and every answer is right', async () => {
  const first = await start();
  const tenants = [await signUp(first.app, 'ada'), await signUp(first.app, 'bob')];
  await bench.database.asAdmin(
    'insert into app_public.todos (user_id, title, priority) select id, $$old$$, 3 from app_public.users, generate_series(1, 1500)',
  );
  traffic = tenants.flatMap((tenant) => [work(tenant), work(tenant), work(tenant, 'search')]);
  const serving = (server: Server, ...fields: Field[]) => {
    for (const [index, one] of traffic.entries()) one.move(server, fields[index % fields.length] as Field);
    return Promise.all(traffic.map((one) => one.someMore()));
  };
  await serving(first, 'priority');
  await migration(0);
  await Promise.all(traffic.map((one) => one.someMore()));
  for (const command of steps.commands) {
    const slowly = command[0] === 'backfill' ? ['--yes', '--batch', '100', '--pause', '5'] : [];
    expect(await bench.db(...command, ...slowly)).toMatchObject({ code: 0 });
  }
  await migration(1);

  const both = await start();
  await serving(both, 'priority', 'importance');
  await serving(both, 'importance');
  await migration(2);
  const last = await start();
  await serving(last, 'importance');
  await migration(3);
  await Promise.all(traffic.map((one) => one.someMore()));

  const answers = (await Promise.all(traffic.map((one) => one.stop()))).flat();
  expect(answers.filter(({ wrong }) => wrong !== undefined)).toEqual([]);
  expect(new Set(answers.map(({ field }) => field))).toEqual(new Set(['priority', 'importance']));
  expect(
    await bench.database.asAdmin(
      `select importance, count(*)::int as rows from app_public.todos where title = 'old' group by importance`,
    ),
  ).toEqual([{ importance: 3, rows: 3000 }]);
  expect(last.graphqlSchema.getType('Todo')?.toConfig()).not.toHaveProperty('fields.priority');

  // A server that still knows the column fails where it is mentioned, and nowhere else.
  const [ada] = tenants as [Tenant];
  const ask = (field: Field) => graphql(both.app, ada.token, `{ todos(first: 1) { nodes { ${field} } } }`);
  expect((await ask('importance')).body.errors).toBeUndefined();
  expect((await ask('priority')).body.errors).toHaveLength(1);
});

type Field = 'priority' | 'importance';

interface Answer {
  readonly field: Field;
  /** The faults that were found. */
  readonly wrong: string | undefined;
}

/**
 * A tenant's client that creates, changes, reads and deletes a todo, over and over, on the server that it is told; or one
 * that only searches, which is what a table's new shape breaks most easily.
 */
function work(tenant: Tenant, kind: 'everything' | 'search' = 'everything') {
  let at: { server: Server; field: Field } | undefined;
  let running = true;
  const answers: Answer[] = [];
  const round = async (server: Server, field: Field, value: number) => {
    const ask = async (document: string) => {
      const { status, body } = await graphql(server.app, tenant.token, document);
      if (status !== 200 || body.errors) throw new Error(`${document}: ${status} ${JSON.stringify(body.errors)}`);
      return body.data;
    };
    const expectValue = (todo: Record<string, unknown>, expected: number) => {
      if (todo?.[field] !== expected) throw new Error(`${field} is ${todo?.[field]} and not ${expected}`);
    };
    if (kind === 'search') {
      const { searchTodos } = await ask(`{ searchTodos(query: "old", first: 1) { nodes { ${field} } } }`);
      return expectValue(searchTodos.nodes[0], 3);
    }
    const { todo } = (
      await ask(
        `mutation { createTodo(input: {todo: {title: "new", ${field}: ${value}}}) { todo { rowId ${field} } } }`,
      )
    ).createTodo;
    expectValue(todo, value);
    const id = JSON.stringify(todo.rowId);
    expectValue((await ask(`{ todo(rowId: ${id}) { ${field} } currentUser { rowId } }`)).todo, value);
    const change = `mutation { updateTodo(input: {rowId: ${id}, patch: {${field}: ${5 - value}}}) { todo { ${field} } } }`;
    expectValue((await ask(change)).updateTodo.todo, 5 - value);
    const { searchTodos } = await ask(`{ searchTodos(query: "new", first: 50) { nodes { rowId ${field} } } }`);
    expectValue(
      searchTodos.nodes.find(({ rowId }: { rowId: string }) => rowId === todo.rowId),
      5 - value,
    );
    await ask(`mutation { deleteTodo(input: {rowId: ${id}}) { todo { ${field} } } }`);
  };
  const loop = (async () => {
    for (let value = 0; running; value = (value + 1) % 6) {
      if (!at) await sleep(5);
      else {
        const { server, field } = at;
        const wrong = await round(server, field, value).then(
          () => undefined,
          (error: Error) => error.message,
        );
        answers.push({ field, wrong });
      }
    }
  })();
  return {
    move: (server: Server, field: Field) => {
      at = { server, field };
    },
    /** Waits for rounds that were begun from now on. */
    someMore: async () => {
      const enough = answers.length + 3;
      while (answers.length < enough) await sleep(5);
    },
    stop: async () => {
      running = false;
      await loop;
      return answers;
    },
  };
}

async function start(): Promise<Server> {
  const server = await serve(bench.database, { production: true });
  servers.push(server);
  return server;
}

/** Applies a step's SQL as a migration is applied, but takes its time, so that clients meet it wherever they are. */
async function migration(step: number): Promise<void> {
  await bench.database.asOwner(
    `begin; set local search_path = pg_catalog; ${steps.sql[step]}; select pg_sleep(0.2); commit`,
  );
}

/** The blocks of SQL, and the verbs of the shell's block, under "Zero downtime" in docs/dba.md. */
async function documented() {
  const page = await readFile(join(root, 'docs', 'dba.md'), 'utf8');
  const section = /^## Zero downtime\n(.*?)(?=^## |$(?![\s\S]))/ms.exec(page)?.[1] ?? '';
  const blocks = (language: string) =>
    [...section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text as string);
  const commands = (blocks('sh')[0] ?? '').trim().split('\n');
  return {
    sql: blocks('sql'),
    commands: commands.map((line) =>
      [...line.replace('npm run db -- ', '').matchAll(/"([^"]*)"|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? bare ?? '',
      ),
    ),
  };
}
