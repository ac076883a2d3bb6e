import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from '../../../postgres/withClient.ts';
import { lockOf } from '../../../server/tenancy/listenerLocks.ts';
import {
  addMember,
  createOrganization,
  graphqlIn,
  greetIn,
  removeMember,
  subscribedIn,
} from '../../support/organizations.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { begin, openSocket, type Socket, subscribed, todoChanged } from '../../support/socket.ts';

const taskChanged = 'subscription { taskChanged { event rowId task { title } } }';
const projectChanged = 'subscription { projectChanged { event rowId project { name } } }';

let server: TestServer;
let url: string;
let ada: Tenant;
let mia: Tenant;
let eve: Tenant;
let acme: string;
let other: string;
const open: Socket[] = [];

beforeAll(async () => {
  server = await startTestServer();
  url = await server.listen();
  [ada, mia, eve] = (await Promise.all(['ada', 'mia', 'eve'].map((name) => signUp(server.app, name)))) as [
    Tenant,
    Tenant,
    Tenant,
  ];
  acme = await createOrganization(server.db, 'Acme', [
    [ada, 'owner'],
    [mia, 'member'],
  ]);
  other = await createOrganization(server.db, 'Other', [
    [eve, 'owner'],
    [mia, 'member'],
  ]);
});
afterEach(async () => {
  for (const socket of open.splice(0)) {
    socket.raw.terminate();
    await socket.closed;
  }
});
afterAll(() => server.close());

function kept(socket: Socket): Socket {
  open.push(socket);
  return socket;
}

const subscribeIn = async (organization: string, tenant: Tenant, ...documents: string[]) =>
  kept(await subscribedIn(url, organization, tenant, ...documents));

/** Signs up a user who is a member of acme. */
async function newMember(name: string): Promise<Tenant> {
  const tenant = await signUp(server.app, name);
  await addMember(server.db, acme, tenant, 'member');
  return tenant;
}

async function create(organization: string, tenant: Tenant, title: string): Promise<string> {
  const document = 'mutation ($title: String!) { createTask(input: {task: {title: $title}}) { task { rowId } } }';
  return (await graphqlIn(server.app, organization, tenant, document, { title })).body.data.createTask.task.rowId;
}

/** Shows that a socket is open and has received nothing until now: the next event is this one. */
async function expectNext(socket: Socket, organization: string, author: Tenant): Promise<void> {
  const title = randomUUID();
  const rowId = await create(organization, author, title);
  expect(await socket.event()).toEqual({ event: 'INSERT', rowId, task: { title } });
}

const endListener = () =>
  server.db.asAdmin(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'hedgerow listener' and datname = current_database()`,
  );

const disableNotifications = (sql: string) =>
  server.db.asAdmin(`do $$ begin set local session_replication_role = replica; ${sql}; end $$`);

/** Creates an organization of ada. There are 1,024 locks, so users may share one with an organization. */
async function organizationWithOwnLock(): Promise<string> {
  const organization = await createOrganization(server.db, 'Own lock', [[ada, 'owner']]);
  const isShared = [ada, mia].some(({ id }) => lockOf(id) === lockOf(organization));
  return isShared ? organizationWithOwnLock() : organization;
}

test('the members of an organization see each change of its rows', async () => {
  const sockets = [await subscribeIn(acme, ada, taskChanged), await subscribeIn(acme.toUpperCase(), mia, taskChanged)];
  const rowId = await create(acme, mia, 'new');
  for (const socket of sockets)
    expect(await socket.event()).toEqual({ event: 'INSERT', rowId, task: { title: 'new' } });
  const change = (mutation: string) => graphqlIn(server.app, acme, ada, `mutation { ${mutation} }`);
  await change(`updateTask(input: {rowId: "${rowId}", patch: {title: "old"}}) { task { title } }`);
  for (const socket of sockets)
    expect(await socket.event()).toEqual({ event: 'UPDATE', rowId, task: { title: 'old' } });
  await change(`deleteTask(input: {rowId: "${rowId}"}) { task { title } }`);
  for (const socket of sockets) expect(await socket.event()).toEqual({ event: 'DELETE', rowId, task: null });
});

test('a socket hears of its own organization and of personal rows, and of no other organization', async () => {
  const inAcme = await subscribeIn(acme, mia, taskChanged);
  const inOther = await subscribeIn(other, mia, taskChanged);
  const personal = kept(await subscribed(url, mia.token, taskChanged));
  const todos = await subscribeIn(acme, mia, todoChanged);
  const before = personal.heard.length;
  await create(acme, ada, 'acme');
  await expectNext(inOther, other, eve);
  await inAcme.event();
  await expectNext(inAcme, acme, ada);
  await mia.graphql('mutation { createTodo(input: {todo: {title: "personal"}}) { todo { title } } }');
  expect(await todos.event()).toMatchObject({ event: 'INSERT', todo: { title: 'personal' } });
  await begin(personal, todoChanged);
  await mia.graphql('mutation { createTodo(input: {todo: {title: "later"}}) { todo { title } } }');
  expect(await personal.event()).toMatchObject({ todo: { title: 'later' } });
  // The barrier of `begin` and the event of the todo.
  expect(personal.heard.length).toBe(before + 2);
});

test('of a statement with too many rows there is a single RESYNC', async () => {
  const socket = await subscribeIn(acme, ada, taskChanged);
  await server.db.asAdmin(
    "insert into app_public.tasks (organization_id, title) select $1, 'bulk ' || n from generate_series(1, 101) n",
    [acme],
  );
  expect(await socket.event()).toEqual({ event: 'RESYNC', rowId: null, task: null });
  await expectNext(socket, acme, mia);
});

test('a lost listener connection comes back with a RESYNC for the organization', async () => {
  const sockets = [await subscribeIn(acme, ada, taskChanged), await subscribeIn(acme, mia, projectChanged)];
  await endListener();
  for (const socket of sockets) expect(await socket.event()).toMatchObject({ event: 'RESYNC' });
  // A lock of the user and one of the organization: there may be a RESYNC for each.
  const rowId = await create(acme, ada, 'again');
  let event = await sockets[0]?.event();
  while ((event as { event: string }).event === 'RESYNC') event = await sockets[0]?.event();
  expect(event).toEqual({ event: 'INSERT', rowId, task: { title: 'again' } });
});

test('a change that a writer made while nobody could listen comes with a RESYNC', async () => {
  const organization = await organizationWithOwnLock();
  const socket = await subscribeIn(organization, ada, taskChanged);
  await withClient(server.db.adminUrl, async (writer) => {
    const lock = [lockOf(organization)];
    const locked = writer.query('select pg_advisory_lock(1751474535, $1)', lock);
    const waiting = 'select from pg_locks where classid = 1751474535 and objid = $1 and not granted';
    while ((await server.db.asAdmin(waiting, lock)).length === 0) await sleep(20);
    await endListener();
    await locked;
    // This session has the lock, so that the trigger sends no notification.
    await writer.query("insert into app_public.tasks (organization_id, title) values ($1, 'unheard')", [organization]);
    // The user's lock is held again, and the organization's is not.
    expect(await socket.event()).toMatchObject({ event: 'RESYNC' });
    await writer.query('select pg_advisory_unlock(1751474535, $1)', lock);
    expect(await socket.event()).toMatchObject({ event: 'RESYNC' });
  });
});

test('a foreign, an absent and a malformed organization are refused alike', async () => {
  for (const organization of [acme, acme.toUpperCase(), randomUUID(), 'none', '', 7, {}, [acme]]) {
    const socket = await greetIn(url, organization, eve);
    expect(await socket.closed).toEqual({ code: 4403, reason: 'Forbidden' });
    expect(socket.heard).toEqual([]);
  }
});

test('nobody waits for the changes of an organization that they are no member of', async () => {
  const organization = await createOrganization(server.db, 'Busy', [[ada, 'owner']]);
  await withClient(server.db.adminUrl, async (writer) => {
    // As a writer of the organization holds it until its transaction commits.
    await writer.query('select pg_advisory_lock(1751474535, $1)', [lockOf(organization)]);
    expect((await (await greetIn(url, organization, eve)).closed).code).toBe(4403);
    const member = await greetIn(url, organization, ada);
    await begin(kept(await openSocket(url, ada.token)), todoChanged);
    expect(member.heard).toEqual([]);
    await writer.query('select pg_advisory_unlock(1751474535, $1)', [lockOf(organization)]);
    expect(await kept(member).next()).toEqual({ type: 'connection_ack' });
  });
});

test('an ended session is refused with 4401, whatever the organization', async () => {
  const gone = await newMember('gone');
  await server.db.asAdmin('update app_private.sessions set revoked_at = now() where user_id = $1', [gone.id]);
  for (const organization of [acme, 'none'])
    expect(await (await greetIn(url, organization, gone)).closed).toEqual({
      code: 4401,
      reason: 'The session has ended',
    });
});

const removed = { code: 4401, reason: 'The membership has ended' };

test("a removed member's sockets of the organization end, and no others", async () => {
  const rex = await newMember('rex');
  await addMember(server.db, other, rex, 'member');
  const [first, second] = [await subscribeIn(acme, rex, taskChanged), await subscribeIn(acme, rex, todoChanged)];
  const stays = [
    await subscribeIn(other, rex, taskChanged),
    kept(await subscribed(url, rex.token, todoChanged)),
    await subscribeIn(acme, ada, taskChanged),
  ] as const;
  await removeMember(server.db, acme, rex);
  expect(await first.closed).toEqual(removed);
  expect(await second.closed).toEqual(removed);
  await expectNext(stays[0], other, eve);
  await expectNext(stays[2], acme, mia);
  await rex.graphql('mutation { createTodo(input: {todo: {title: "mine"}}) { todo { title } } }');
  expect(await stays[1].event()).toMatchObject({ todo: { title: 'mine' } });
  expect((await (await greetIn(url, acme, rex)).closed).code).toBe(4403);
});

test('many members who are removed in one statement lose their sockets, and the others keep theirs', async () => {
  const max = await newMember('max');
  const [theirs, mine] = [await subscribeIn(acme, max, taskChanged), await subscribeIn(acme, ada, taskChanged)];
  await server.db.asAdmin(
    `with users as (
      insert into app_public.users (email, username)
        select 'many' || n || '@example.com', 'many' || n from generate_series(1, 150) n returning id, username
    )
    insert into app_public.organization_members (organization_id, user_id, username, role)
      select $1, id, username, 'viewer' from users`,
    [acme],
  );
  await server.db.asAdmin(
    `delete from app_public.organization_members
      where organization_id = $1 and (role = 'viewer' or user_id = $2)`,
    [acme, max.id],
  );
  expect(await theirs.closed).toEqual(removed);
  await expectNext(mine, acme, ada);
});

test("a deleted organization's sockets end", async () => {
  const organization = await createOrganization(server.db, 'Short', [
    [ada, 'owner'],
    [mia, 'viewer'],
  ]);
  const sockets = [await subscribeIn(organization, ada, taskChanged), await subscribeIn(organization, mia)];
  const mine = await subscribeIn(acme, ada, taskChanged);
  await create(organization, ada, 'deleted too');
  await server.db.asAdmin('delete from app_public.organizations where id = $1', [organization]);
  for (const socket of sockets) expect(await socket.closed).toEqual(removed);
  await expectNext(mine, acme, mia);
});

test('a member with a new role has to connect again, and others do not', async () => {
  const [dan, eva] = [await newMember('dan'), await newMember('eva')];
  const socket = await subscribeIn(acme, dan, taskChanged);
  const personal = kept(await openSocket(url, dan.token));
  const other = await subscribeIn(acme, eva, taskChanged);
  const ofEva = "user_id = (select id from app_public.users where username = 'eva')";
  await server.db.asAdmin(`update app_public.organization_members set role = role where ${ofEva}`);
  await server.db.asAdmin("update app_public.organization_members set role = 'viewer' where user_id = $1", [dan.id]);
  expect(await socket.closed).toEqual({ code: 1013, reason: 'The role has changed' });
  // 1 is the state of an open socket.
  expect([personal.raw.readyState, other.raw.readyState]).toEqual([1, 1]);
  const again = await subscribeIn(acme, dan, taskChanged);
  await create(acme, ada, 'for viewers too');
  expect(await again.event()).toMatchObject({ event: 'INSERT' });
});

test('a removal that was not notified is found at the next event, and after a gap', async () => {
  const uma = await newMember('uma');
  const remove = () => disableNotifications(`delete from app_public.organization_members where user_id = '${uma.id}'`);
  const atEvent = await subscribeIn(acme, uma, taskChanged);
  await remove();
  await create(acme, ada, 'unseen');
  expect(await atEvent.closed).toEqual(removed);
  expect(atEvent.heard.filter(({ type }) => type === 'next')).toEqual([]);

  await addMember(server.db, acme, uma, 'member');
  const afterGap = await subscribeIn(acme, uma, taskChanged);
  const personal = kept(await openSocket(url, uma.token));
  await remove();
  await endListener();
  expect(await afterGap.closed).toEqual(removed);
  await begin(personal, todoChanged);
});

test('the sockets of a user are counted together, whatever they act for', async () => {
  const ten = await newMember('ten');
  for (let n = 0; n < 5; n++) {
    await subscribeIn(acme, ten);
    kept(await openSocket(url, ten.token));
  }
  expect((await (await greetIn(url, acme, ten)).closed).code).toBe(4429);
});

test('the server holds no lock of an organization whose sockets have closed', async () => {
  kept(await openSocket(url, mia.token));
  const organization = await organizationWithOwnLock();
  const isHeld = async () =>
    (
      await server.db.asAdmin(
        `select from pg_locks where locktype = 'advisory' and classid = 1751474535 and objid = $1
          and database = (select oid from pg_database where datname = current_database())`,
        [lockOf(organization)],
      )
    ).length > 0;
  const socket = await subscribeIn(organization, ada, taskChanged);
  expect(await isHeld()).toBe(true);
  socket.raw.terminate();
  while (await isHeld()) await sleep(20);
});
