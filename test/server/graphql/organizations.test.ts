import { randomUUID } from 'node:crypto';
import express from 'express';
import pino from 'pino';
import { problem } from '../../../server/http/problemResponse.ts';
import { MembershipRefusedError } from '../../../server/tenancy/identity.ts';
import { addMember, createOrganization, graphqlIn, removeMember } from '../../support/organizations.ts';
import { serve, signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';

let server: TestServer;
let ada: Tenant;
let bob: Tenant;
let mia: Tenant;
let vic: Tenant;
let eve: Tenant;
let acme: string;
let other: string;

beforeAll(async () => {
  server = await startTestServer();
  [ada, bob, mia, vic, eve] = (await Promise.all(
    ['ada', 'bob', 'mia', 'vic', 'eve'].map((name) => signUp(server.app, name)),
  )) as [Tenant, Tenant, Tenant, Tenant, Tenant];
  acme = await createOrganization(server.db, 'Acme', [
    [ada, 'owner'],
    [bob, 'admin'],
    [mia, 'member'],
    [vic, 'viewer'],
  ]);
  other = await createOrganization(server.db, 'Other', [
    [eve, 'owner'],
    [mia, 'member'],
  ]);
});
afterAll(() => server.close());

const inAcme = (tenant: Tenant, query: string, variables?: Record<string, unknown>) =>
  graphqlIn(server.app, acme, tenant, query, variables);

const createProject =
  'mutation ($name: String!) { createProject(input: {project: {name: $name}}) { project { rowId } } }';
const createTask = `mutation ($title: String!, $projectId: UUID) {
  createTask(input: {task: {title: $title, projectId: $projectId}}) { task { rowId } }
}`;

async function newTask(tenant: Tenant, title: string, projectId?: string, organization = acme): Promise<string> {
  const { body } = await graphqlIn(server.app, organization, tenant, createTask, { title, projectId });
  return body.data.createTask.task.rowId;
}

async function newProject(tenant: Tenant, name: string): Promise<string> {
  return (await inAcme(tenant, createProject, { name })).body.data.createProject.project.rowId;
}

describe('membership', () => {
  test('the members of the current organization see each other', async () => {
    const { status, body } = await inAcme(
      vic,
      '{ currentOrganization { name members(orderBy: ROLE_ASC) { nodes { role user { rowId username } } } } }',
    );
    expect(status).toBe(200);
    const member = (role: string, { id }: Tenant, username: string) => ({ role, user: { rowId: id, username } });
    expect(body).toEqual({
      data: {
        currentOrganization: {
          name: 'Acme',
          members: {
            nodes: [
              member('admin', bob, 'bob'),
              member('member', mia, 'mia'),
              member('owner', ada, 'ada'),
              member('viewer', vic, 'vic'),
            ],
          },
        },
      },
    });
  });

  test.each([
    ['a query', '{ tasks { nodes { title } } }', undefined],
    ['a query of personal rows', '{ todos { nodes { title } } }', undefined],
    ['a mutation', 'mutation { createProject(input: {project: {name: "x"}}) { project { name } } }', undefined],
    ['a mutation with a key', 'mutation { createTask(input: {task: {title: "x"}}) { task { title } } }', 'key'],
    ['a bulk mutation', 'mutation { createTasks(input: {tasks: [{title: "x"}]}) { tasks { title } } }', undefined],
  ])('%s for a foreign, an absent and a malformed organization is answered alike', async (_, query, key) => {
    const answers = [];
    for (const organization of [acme, acme.toUpperCase(), randomUUID(), 'none', '', "'", `${acme} `.repeat(20)]) {
      const request = graphqlIn(server.app, organization, eve, query);
      if (key) request.set('Idempotency-Key', key);
      const { status, text, headers } = await request;
      answers.push({ status, text, type: headers['content-type'] });
    }
    const [first] = answers;
    expect(first?.status).toBe(403);
    const [error, ...more] = JSON.parse(first?.text ?? '').errors;
    expect(error).toMatchObject({
      message: 'You are not a member of this organization.',
      extensions: { code: 'FORBIDDEN' },
    });
    expect(more).toEqual([]);
    for (const answer of answers) expect(answer).toEqual(first);
  });

  test('a refusal outside of the operation has the same code and status', async () => {
    const app = express()
      .post('/graphql', () => {
        throw new MembershipRefusedError(undefined);
      })
      .use(problem(pino({ level: 'silent' })));
    const { status, body } = await graphqlIn(app, acme, eve, '{ __typename }');
    expect(status).toBe(403);
    expect(body.errors).toEqual([
      { message: 'You are not a member of this organization.', extensions: { code: 'FORBIDDEN' } },
    ]);
  });

  test('an ended session is answered with 401, whatever the organization', async () => {
    const gone = await signUp(server.app, 'gone');
    await server.db.asAdmin('update app_private.sessions set revoked_at = now() where user_id = $1', [gone.id]);
    for (const organization of [acme, 'none']) {
      const { status, body } = await graphqlIn(server.app, organization, gone, '{ tasks { nodes { title } } }');
      expect(status).toBe(401);
      expect(body.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    }
  });

  test('a removed member is refused from the next request on, and keeps their own rows', async () => {
    const rex = await signUp(server.app, 'rex');
    await addMember(server.db, acme, rex, 'member');
    await newTask(rex, 'before the removal');
    await removeMember(server.db, acme, rex);
    const { status, body } = await inAcme(rex, '{ tasks { nodes { title } } }');
    expect({ status, data: body.data }).toEqual({ status: 403, data: { tasks: null } });
    expect((await rex.graphql('{ todos { totalCount } }')).body).toEqual({ data: { todos: { totalCount: 0 } } });
  });

  test('the organization id may have capital letters', async () => {
    const { body } = await graphqlIn(server.app, acme.toUpperCase(), ada, '{ currentOrganization { name } }');
    expect(body.data.currentOrganization.name).toBe('Acme');
  });

  test('the role of a request without an organization is none, and its rows are its own', async () => {
    await newTask(ada, 'seen in the organization only');
    const { body } = await ada.graphql(
      '{ currentOrganization { name } tasks { totalCount } projects { totalCount } searchTasks(query: "seen") { totalCount } }',
    );
    expect(body.data).toEqual({
      currentOrganization: null,
      tasks: { totalCount: 0 },
      projects: { totalCount: 0 },
      searchTasks: { totalCount: 0 },
    });
  });

  test('personal rows are the same in every organization', async () => {
    await mia.graphql('mutation { createTodo(input: {todo: {title: "mine"}}) { todo { title } } }');
    for (const organization of [acme, other]) {
      const { body } = await graphqlIn(server.app, organization, mia, '{ todos { nodes { title } } }');
      expect(body.data.todos.nodes).toEqual([{ title: 'mine' }]);
    }
  });

  test('the only root fields of organizations are the current one and node ids', () => {
    const fields = Object.keys(server.graphqlSchema.getQueryType()?.getFields() ?? {});
    expect(fields.filter((name) => /organization|member|invitation/i.test(name))).toEqual([
      'currentOrganization',
      'organizationById',
      'organizationMemberById',
    ]);
    const mutations = Object.keys(server.graphqlSchema.getMutationType()?.getFields() ?? {});
    expect(mutations.filter((name) => /organization|member|invitation/i.test(name))).toEqual([]);
  });

  test('the node id of another organization, and of its members, finds nothing', async () => {
    const ids = '{ currentOrganization { id members(orderBy: ROLE_DESC) { nodes { role id } } } }';
    const { body } = await graphqlIn(server.app, other, eve, ids);
    const { id, members } = body.data.currentOrganization;
    expect(members.nodes[0].role).toBe('owner');
    const query =
      'query ($id: ID!, $member: ID!) { organizationById(id: $id) { name } organizationMemberById(id: $member) { role } }';
    const variables = { id, member: members.nodes[0].id };
    expect((await inAcme(ada, query, variables)).body.data).toEqual({
      organizationById: null,
      organizationMemberById: null,
    });
    const found = await graphqlIn(server.app, other, eve, query, variables);
    expect(found.body.data.organizationById).toEqual({ name: 'Other' });
  });
});

describe('roles', () => {
  test.each(['ada', 'bob', 'mia'])('%s creates, changes and deletes rows that all members see', async (name) => {
    const tenant = { ada, bob, mia }[name] as Tenant;
    const projectId = await newProject(tenant, `project of ${name}`);
    const rowId = await newTask(tenant, `task of ${name}`, projectId);
    const read =
      'query ($rowId: UUID!) { task(rowId: $rowId) { title completed project { name } assignee { user { username } } } }';
    const seen = async () => (await inAcme(vic, read, { rowId })).body.data.task;
    expect(await seen()).toEqual({
      title: `task of ${name}`,
      completed: false,
      project: { name: `project of ${name}` },
      assignee: null,
    });
    const patch = { completed: true, assigneeId: vic.id };
    const update =
      'mutation ($rowId: UUID!, $patch: TaskPatch!) { updateTask(input: {rowId: $rowId, patch: $patch}) { task { title } } }';
    expect((await inAcme(tenant, update, { rowId, patch })).body.errors).toBeUndefined();
    expect(await seen()).toMatchObject({ completed: true, assignee: { user: { username: 'vic' } } });
    const remove = `mutation { deleteTask(input: {rowId: "${rowId}"}) { task { title } } deleteProject(input: {rowId: "${projectId}"}) { project { name } } }`;
    expect((await inAcme(tenant, remove)).body.errors).toBeUndefined();
    expect(await seen()).toBeNull();
  });

  test.each([
    ['createProject', createProject, { name: 'by vic' }],
    ['createTask', createTask, { title: 'by vic' }],
    ['createTasks', 'mutation { createTasks(input: {tasks: [{title: "a"}, {title: "b"}]}) { tasks { title } } }', {}],
    [
      'a mutation that also writes a personal row',
      `mutation {
        createTodo(input: {todo: {title: "by vic"}}) { todo { title } }
        createTask(input: {task: {title: "by vic"}}) { task { title } }
      }`,
      {},
    ],
  ])('%s by a viewer is FORBIDDEN', async (_, query, variables) => {
    const { status, body } = await inAcme(vic, query, variables);
    expect(status).toBe(403);
    expect(body.errors).toMatchObject([
      { message: 'Your role in the organization does not allow this.', extensions: { code: 'FORBIDDEN' } },
    ]);
    expect(await server.db.asAdmin("select from app_public.todos where title = 'by vic'")).toEqual([]);
    expect(
      (await inAcme(ada, '{ tasks(condition: {title: "by vic"}) { totalCount } }')).body.data.tasks.totalCount,
    ).toBe(0);
  });

  test('a viewer changes and deletes nothing', async () => {
    const rowId = await newTask(ada, 'stays');
    for (const mutation of [
      `updateTask(input: {rowId: "${rowId}", patch: {title: "x"}}) { task { title } }`,
      `deleteTask(input: {rowId: "${rowId}"}) { task { title } }`,
      `completeTasks(input: {rowIds: ["${rowId}"]}) { tasks { title } }`,
      `updateTasks(input: {updates: [{rowId: "${rowId}", patch: {title: "x"}}]}) { tasks { title } }`,
      `deleteTasks(input: {rowIds: ["${rowId}"]}) { deletedRowIds }`,
    ]) {
      const { body } = await inAcme(vic, `mutation { ${mutation} }`);
      expect(body.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    }
    const { body } = await inAcme(vic, `{ task(rowId: "${rowId}") { title completed } }`);
    expect(body.data.task).toEqual({ title: 'stays', completed: false });
  });

  test('a demoted member writes nothing from the next request on', async () => {
    const dan = await signUp(server.app, 'dan');
    await addMember(server.db, acme, dan, 'member');
    await newTask(dan, 'by a member');
    await server.db.asAdmin("update app_public.organization_members set role = 'viewer' where user_id = $1", [dan.id]);
    expect((await inAcme(dan, createTask, { title: 'by a viewer' })).status).toBe(403);
  });

  test.each([
    ['createProject', createProject, { name: 'of nobody' }],
    ['createTask', createTask, { title: 'of nobody' }],
    ['createTasks', 'mutation { createTasks(input: {tasks: [{title: "a"}]}) { tasks { title } } }', {}],
  ])('%s without an organization names the missing header', async (_, query, variables) => {
    const { body } = await ada.graphql(query, variables);
    expect(body.errors).toMatchObject([
      {
        message: 'The row belongs to an organization. Name yours in the header X-Organization-Id.',
        extensions: { code: 'BAD_USER_INPUT' },
      },
    ]);
  });

  test('a value that a check refuses is the reason where it can be one', async () => {
    await server.db.asAdmin(`alter policy insert_own on app_public.tasks with check (
      organization_id = (select app_public.current_organization_id())
      and (select app_public.current_member_role()) in ('owner', 'admin', 'member') and title <> 'forbidden')`);
    const changed = await serve(server.db);
    try {
      for (const [tenant, title] of [
        [ada, 'forbidden'],
        [vic, 'allowed'],
      ] as const) {
        const { body } = await graphqlIn(changed.app, acme, tenant, createTask, { title });
        expect(body.errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
        expect(body.errors[0].message).toMatch(/a value is not allowed/);
      }
    } finally {
      await changed.close();
      await server.db.asAdmin(`alter policy insert_own on app_public.tasks with check (
        organization_id = (select app_public.current_organization_id())
        and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))`);
    }
  });

  test("a change that only the new row's check refuses by role is FORBIDDEN", async () => {
    const rowId = await newTask(ada, 'unchanged');
    await server.db.asAdmin(
      'alter policy update_own on app_public.tasks using (organization_id = (select app_public.current_organization_id()))',
    );
    const changed = await serve(server.db);
    try {
      for (const update of [
        `updateTask(input: {rowId: "${rowId}", patch: {title: "x"}}) { task { title } }`,
        `updateTasks(input: {updates: [{rowId: "${rowId}", patch: {title: "x"}}]}) { tasks { title } }`,
      ]) {
        const { status, body } = await graphqlIn(changed.app, acme, vic, `mutation { ${update} }`);
        expect(status).toBe(403);
        expect(body.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
      }
    } finally {
      await changed.close();
      await server.db.asAdmin(`alter policy update_own on app_public.tasks using (
        organization_id = (select app_public.current_organization_id())
        and (select app_public.current_member_role()) in ('owner', 'admin', 'member'))`);
    }
  });
});

describe('rows of organizations', () => {
  test('references stay within the organization', async () => {
    const projectId = await newProject(ada, 'referenced');
    const { body } = await graphqlIn(server.app, other, eve, createTask, { title: 'x', projectId });
    expect(body.errors).toMatchObject([
      { message: 'projectId must name a project of the organization', extensions: { code: 'BAD_USER_INPUT' } },
    ]);
    const assign = `mutation { createTask(input: {task: {title: "x", assigneeId: "${eve.id}"}}) { task { title } } }`;
    expect((await inAcme(ada, assign)).body.errors).toMatchObject([
      { message: 'assigneeId must name a member of the organization', extensions: { code: 'BAD_USER_INPUT' } },
    ]);
  });

  test('rows of another organization of the same user do not exist', async () => {
    const [mine, theirs] = [await newTask(mia, 'in acme'), await newTask(mia, 'in other', undefined, other)];
    const read = (id: string) => `{ task(rowId: "${id}") { title } }`;
    expect((await inAcme(mia, read(mine))).body.data.task).toEqual({ title: 'in acme' });
    expect((await inAcme(mia, read(theirs))).body.data.task).toBeNull();
    expect((await graphqlIn(server.app, other, mia, read(mine))).body.data.task).toBeNull();
    const { body } = await inAcme(mia, `mutation { deleteTask(input: {rowId: "${theirs}"}) { task { title } } }`);
    expect(body.errors).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
  });

  test('two organizations may have projects of the same name', async () => {
    await newProject(ada, 'Website');
    expect((await graphqlIn(server.app, other, eve, createProject, { name: 'Website' })).body.errors).toBeUndefined();
    expect((await inAcme(ada, createProject, { name: 'Website' })).body.errors).toMatchObject([
      { message: 'there is a project with this name already', extensions: { code: 'CONFLICT' } },
    ]);
  });

  test('bulk mutations, filters, pages and search work as for personal rows', async () => {
    const projectId = await newProject(ada, 'bulk');
    const tasks = Array.from({ length: 25 }, (_, n) => ({ title: `bulk ${String(n).padStart(2, '0')}`, projectId }));
    const created = await inAcme(
      ada,
      'mutation ($tasks: [TaskInput!]!) { createTasks(input: {tasks: $tasks}) { tasks { rowId title } } }',
      { tasks },
    );
    const rows = created.body.data.createTasks.tasks as { rowId: string; title: string }[];
    expect(rows.map(({ title }) => title)).toEqual(tasks.map(({ title }) => title));
    const rowIds = rows.slice(0, 5).map(({ rowId }) => rowId);
    await inAcme(bob, 'mutation ($rowIds: [UUID!]!) { completeTasks(input: {rowIds: $rowIds}) { tasks { title } } }', {
      rowIds,
    });
    const page = `query ($after: Cursor) {
      project(rowId: "${projectId}") {
        tasks(first: 10, after: $after, orderBy: [TITLE_ASC], filter: {completed: {equalTo: false}}) {
          totalCount nodes { title } pageInfo { endCursor hasNextPage }
        }
      }
    }`;
    const read = async (after?: string) => (await inAcme(vic, page, { after })).body.data.project.tasks;
    const first = await read();
    expect(first).toMatchObject({ totalCount: 20, pageInfo: { hasNextPage: true } });
    const second = await read(first.pageInfo.endCursor);
    expect([...first.nodes, ...second.nodes]).toEqual(tasks.slice(5).map(({ title }) => ({ title })));
    expect(second.pageInfo.hasNextPage).toBe(false);
    const filtered =
      '{ tasks(filter: {project: {name: {equalTo: "bulk"}}, completed: {equalTo: true}}) { totalCount } }';
    expect((await inAcme(vic, filtered)).body.data.tasks.totalCount).toBe(5);
    const search = '{ searchTasks(query: "bulk 07") { nodes { title } } }';
    expect((await inAcme(vic, search)).body.data.searchTasks.nodes).toEqual([{ title: 'bulk 07' }]);
    expect((await graphqlIn(server.app, other, mia, search)).body.data.searchTasks.nodes).toEqual([]);
    const deleted = await inAcme(
      mia,
      'mutation ($rowIds: [UUID!]!) { deleteTasks(input: {rowIds: $rowIds}) { deletedRowIds } }',
      { rowIds },
    );
    expect(deleted.body.data.deleteTasks.deletedRowIds).toEqual(rowIds);
  });
});

describe('idempotency keys', () => {
  const send = (tenant: Tenant, key: string, title: string, organization?: string) => {
    const request = tenant.graphql(createTask, { title }).set('Idempotency-Key', key);
    return organization === undefined ? request : request.set('X-Organization-Id', organization);
  };

  test('a key runs once in its organization, and answers no other organization', async () => {
    const first = await send(mia, 'once', 'once', acme);
    expect(first.body.errors).toBeUndefined();
    for (const again of [acme, acme.toUpperCase()])
      expect((await send(mia, 'once', 'once', again)).body).toEqual(first.body);
    for (const organization of [other, undefined]) {
      const { status, body } = await send(mia, 'once', 'once', organization);
      expect(status).toBe(409);
      expect(body.errors).toMatchObject([{ extensions: { code: 'CONFLICT' } }]);
    }
    const rows = await server.db.asAdmin("select from app_public.tasks where title = 'once'");
    expect(rows.length).toBe(1);
  });

  test('a removed member gets no stored answer', async () => {
    const kim = await signUp(server.app, 'kim');
    await addMember(server.db, acme, kim, 'member');
    expect((await send(kim, 'key', 'kept', acme)).body.errors).toBeUndefined();
    await removeMember(server.db, acme, kim);
    const { status, body, text } = await send(kim, 'key', 'kept', acme);
    expect(status).toBe(403);
    expect(body.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(text).not.toContain('rowId');
  });
});
