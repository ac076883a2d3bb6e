import { withClient } from '../../../postgres/withClient.ts';
import { requestTo } from '../../support/requestTo.ts';
import type { Tenant } from '../../support/server.ts';
import { type Organizations, startOrganizations } from './setUp.ts';

let organizations: Organizations;
let olga: Tenant;
let adam: Tenant;
let mia: Tenant;
let vera: Tenant;
let sam: Tenant;
/** The organization of olga, its owner, adam, an admin, mia, a member, and vera, a viewer. sam is a stranger. */
let acme: string;

beforeAll(async () => {
  organizations = await startOrganizations();
  [olga, adam, mia, vera, sam] = (await Promise.all(
    ['olga', 'adam', 'mia', 'vera', 'sam'].map((name) => organizations.user(name)),
  )) as [Tenant, Tenant, Tenant, Tenant, Tenant];
  acme = await organizations.create(olga);
  await organizations.join(olga, acme, adam, 'admin');
  await organizations.join(olga, acme, mia, 'member');
  await organizations.join(olga, acme, vera, 'viewer');
});
afterAll(() => organizations.close());

const absent = '11111111-1111-4111-8111-111111111111';
const send: Organizations['send'] = (...args) => organizations.send(...args);
const rolesIn = async (asker: Tenant, id: string) => {
  const { body } = await send(asker, 'get', `/organizations/${id}/members`).expect(200);
  return Object.fromEntries(
    body.members.map(({ username, role }: { username: string; role: string }) => [username, role]),
  );
};
const eventsOf = async (id: string) =>
  (
    await organizations.server.db.asAdmin<{ event: string }>(
      'select event from app_private.audit_log where organization_id = $1 order by created_at, event',
      [id],
    )
  ).map(({ event }) => event);

describe('organizations', () => {
  test('a user who creates one is its owner', async () => {
    const { body } = await send(sam, 'post', '/organizations', { name: ' Samuel & Sons ' }).expect(201);
    expect(body).toEqual({ id: expect.any(String), name: 'Samuel & Sons', role: 'owner' });
    expect(await rolesIn(sam, body.id)).toEqual({ sam: 'owner' });
    await send(sam, 'delete', `/organizations/${body.id}`).expect(204);
  });

  test.each([
    undefined,
    '',
    '   ',
    'x'.repeat(101),
    'two\nlines',
    '\u200b',
    'a\u202eb',
    'see https://evil.example',
    7,
    null,
  ])('the name %j is refused', async (name) => {
    const { body } = await send(sam, 'post', '/organizations', { name }).expect(400);
    expect(body.errors).toEqual([{ path: 'name', message: expect.any(String) }]);
  });

  test('a user lists the own ones with the own role, and no others', async () => {
    const list = async (user: Tenant) => (await send(user, 'get', '/organizations').expect(200)).body.organizations;
    expect(await list(vera)).toEqual([{ id: acme, name: 'Acme', role: 'viewer' }]);
    expect(await list(sam)).toEqual([]);
  });

  test('only an owner deletes one, with all of its rows', async () => {
    const id = await organizations.create(mia, 'Short-lived');
    await organizations.join(mia, id, adam, 'admin');
    await organizations.graphql(mia, id, 'mutation { createTask(input: {task: {title: "t"}}) { task { rowId } } }');
    await send(adam, 'delete', `/organizations/${id}`).expect(403);
    await send(mia, 'delete', `/organizations/${id}`).expect(204);
    await send(mia, 'get', `/organizations/${id}/members`).expect(403);
    expect(
      await organizations.server.db.asAdmin('select from app_public.tasks where organization_id = $1', [id]),
    ).toEqual([]);
    expect(await eventsOf(id)).toContain('organization_deleted');
  });

  test('every route needs a valid access token', async () => {
    const { app } = organizations.server;
    await requestTo(app).get('/organizations').expect(401);
    await requestTo(app).post('/organizations').send({ name: 'x' }).expect(401);
    await requestTo(app).get(`/organizations/${acme}/members`).expect(401);
    await requestTo(app).post('/organizations/invitations/accept').send({ token: 'x' }).expect(401);
  });

  test('answers are not cached', async () => {
    const { headers } = await send(olga, 'get', `/organizations/${acme}/members`);
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('a stranger', () => {
  test.each<['delete' | 'get' | 'patch' | 'post', string, object]>([
    ['delete', '', {}],
    ['get', '/members', {}],
    ['patch', `/members/${absent}`, { role: 'admin' }],
    ['delete', `/members/${absent}`, {}],
    ['get', '/invitations', {}],
    ['post', '/invitations', { email: 'who@example.com', role: 'member' }],
    ['delete', `/invitations/${absent}`, {}],
  ])('gets the same answer for an organization and for none: %s %s', async (method, path, body) => {
    const answers = [];
    for (const id of [acme, absent, 'no-uuid'])
      answers.push(await send(sam, method, `/organizations/${id}${path}`, body));
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  test('gets the same answer for an organization and for none in the header', async () => {
    const answers = [];
    for (const id of [acme, absent, 'no-uuid', ''])
      answers.push(await send(sam, 'get', '/auth/export').set('X-Organization-Id', id));
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.headers).not.toHaveProperty('www-authenticate');
  });

  test('manages the account and the own organizations, whatever the header says', async () => {
    for (const path of ['/auth/me', '/auth/sessions', '/organizations'])
      await send(sam, 'get', path).set('X-Organization-Id', acme).expect(200);
  });
});

describe('roles', () => {
  test('members see each other', async () => {
    const { body } = await send(vera, 'get', `/organizations/${acme}/members`).expect(200);
    expect(body.members).toEqual(
      [
        [olga, 'owner'],
        [adam, 'admin'],
        [mia, 'member'],
        [vera, 'viewer'],
      ].map(([user, role]) => ({
        userId: (user as Tenant).id,
        username: expect.any(String),
        role,
        joinedAt: expect.any(String),
      })),
    );
  });

  test('owners and admins change roles; members and viewers do not', async () => {
    const change = (user: Tenant, role: string) =>
      send(user, 'patch', `/organizations/${acme}/members/${mia.id}`, { role });
    for (const user of [mia, vera]) await change(user, 'admin').expect(403);
    const { body } = await change(adam, 'viewer').expect(200);
    expect(body).toMatchObject({ userId: mia.id, username: 'mia', role: 'viewer' });
    await change(olga, 'member').expect(200);
    expect(await rolesIn(olga, acme)).toMatchObject({ mia: 'member' });
  });

  test('an admin neither makes owners nor changes or removes them', async () => {
    await send(adam, 'patch', `/organizations/${acme}/members/${adam.id}`, { role: 'owner' }).expect(403);
    await send(adam, 'patch', `/organizations/${acme}/members/${mia.id}`, { role: 'owner' }).expect(403);
    await send(adam, 'patch', `/organizations/${acme}/members/${olga.id}`, { role: 'member' }).expect(403);
    await send(adam, 'delete', `/organizations/${acme}/members/${olga.id}`).expect(403);
    await send(adam, 'post', `/organizations/${acme}/invitations`, { email: 'x@example.com', role: 'owner' }).expect(
      403,
    );
  });

  test('the last owner can neither leave nor be demoted', async () => {
    const { body } = await send(olga, 'delete', `/organizations/${acme}/members/${olga.id}`).expect(409);
    expect(body.detail).toContain('Make another member an owner first');
    await send(olga, 'patch', `/organizations/${acme}/members/${olga.id}`, { role: 'admin' }).expect(409);
  });

  test('one owner remains when two remove each other at once', async () => {
    const id = await organizations.create(olga, 'Two owners');
    await organizations.join(olga, id, mia, 'owner');
    const remove = (user: Tenant, other: Tenant) => send(user, 'delete', `/organizations/${id}/members/${other.id}`);
    const answers = await Promise.all([remove(olga, mia), remove(mia, olga)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([204, 403]);
    const remaining = answers[0].status === 204 ? olga : mia;
    expect(Object.values(await rolesIn(remaining, id))).toEqual(['owner']);
  });

  test('changes of members wait for each other, and new tasks do not wait for them', async () => {
    const id = await organizations.create(olga, 'Locked');
    await organizations.join(olga, id, mia, 'owner');
    await withClient(organizations.server.db.adminUrl, async (client) => {
      await client.query('begin');
      await client.query('select from app_public.organizations where id = $1 for no key update', [id]);
      const leaving = send(mia, 'delete', `/organizations/${id}/members/${mia.id}`).then(({ status }) => status);
      await organizations.waiting(1);
      const task = 'mutation { createTask(input: {task: {title: "t"}}) { task { title } } }';
      expect((await organizations.graphql(olga, id, task)).body.errors).toBeUndefined();
      // The other owner leaves meanwhile, so mia is the last one when her turn comes.
      await client.query('delete from app_public.organization_members where organization_id = $1 and user_id = $2', [
        id,
        olga.id,
      ]);
      await client.query('commit');
      expect(await leaving).toBe(409);
    });
  });

  test('an unknown member and a malformed id get 404, a wrong role 400', async () => {
    for (const id of [absent, 'no-uuid', sam.id]) {
      await send(olga, 'patch', `/organizations/${acme}/members/${id}`, { role: 'viewer' }).expect(404);
      await send(olga, 'delete', `/organizations/${acme}/members/${id}`).expect(404);
    }
    for (const role of ['root', '', null, undefined])
      await send(olga, 'patch', `/organizations/${acme}/members/${mia.id}`, { role }).expect(400);
  });

  test('a removed or demoted member is refused by the very next request', async () => {
    const id = await organizations.create(olga, 'Changing');
    await organizations.join(olga, id, mia, 'admin');
    const create = () =>
      organizations.graphql(mia, id, 'mutation { createProject(input: {project: {name: "p"}}) { project { name } } }');
    expect((await create()).body.errors).toBeUndefined();
    await send(olga, 'patch', `/organizations/${id}/members/${mia.id}`, { role: 'viewer' }).expect(200);
    expect((await create()).body.errors).toHaveLength(1);
    await send(mia, 'get', `/organizations/${id}/invitations`).expect(403);
    await send(olga, 'delete', `/organizations/${id}/members/${mia.id}`).expect(204);
    const { body, status } = await organizations.graphql(mia, id, '{ projects { nodes { name } } }');
    expect(status).toBe(403);
    expect(body.errors[0].extensions.code).toBe('FORBIDDEN');
    await send(mia, 'get', `/organizations/${id}/members`).expect(403);
  });

  test('a member leaves, and tasks lose the assignee', async () => {
    const id = await organizations.create(olga, 'Leaving');
    await organizations.join(olga, id, mia);
    const assign = `mutation ($to: UUID!) { createTask(input: {task: {title: "t", assigneeId: $to}}) { task { assigneeId } } }`;
    const { body } = await organizations.graphql(olga, id, assign, { to: mia.id });
    expect(body.data.createTask.task.assigneeId).toBe(mia.id);
    await send(mia, 'delete', `/organizations/${id}/members/${mia.id}`).expect(204);
    const { body: after } = await organizations.graphql(olga, id, '{ tasks { nodes { title assigneeId } } }');
    expect(after.data.tasks.nodes).toEqual([{ title: 't', assigneeId: null }]);
    const { body: foreign } = await organizations.graphql(olga, id, assign, { to: sam.id });
    expect(foreign.errors[0].message).toBe('assigneeId must name a member of the organization');
  });
});

describe('invitations', () => {
  const invite = (user: Tenant, email: string, role: string) =>
    send(user, 'post', `/organizations/${acme}/invitations`, { email, role });
  const accept = (user: Tenant, token: unknown) => send(user, 'post', '/organizations/invitations/accept', { token });

  test('the answer has no token, and the message names the organization and its sender', async () => {
    const { body } = await invite(olga, ' New@Example.com ', 'member').expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      email: 'new@example.com',
      role: 'member',
      expiresAt: expect.any(String),
    });
    const { text } = await organizations.mail.mailTo('new@example.com');
    expect(text).toContain('olga invites you to the organization "Acme"');
    expect(text).toContain('https://app.example.com/accept-invitation#token=');
    const stored = await organizations.server.db.asAdmin('select * from app_public.organization_invitations');
    const token = /#token=([\w-]+)/.exec(text)?.[1] as string;
    expect(JSON.stringify(stored)).not.toContain(token);
  });

  test('an accepted one makes a member, once', async () => {
    const ivan = await organizations.user('ivan');
    const token = await organizations.invite(adam, acme, ivan, 'viewer');
    const { body } = await accept(ivan, token).expect(200);
    expect(body).toEqual({ id: acme, name: 'Acme', role: 'viewer' });
    await accept(ivan, token).expect(403);
    await send(olga, 'delete', `/organizations/${acme}/members/${ivan.id}`).expect(204);
    await accept(ivan, token).expect(403);
  });

  test('of two requests at once, one accepts', async () => {
    const rita = await organizations.user('rita');
    const token = await organizations.invite(olga, acme, rita);
    const answers = await Promise.all([accept(rita, token), accept(rita, token)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
    await send(rita, 'delete', `/organizations/${acme}/members/${rita.id}`).expect(204);
  });

  test('a forwarded, a replaced, a revoked, an expired and a guessed one get the same 403', async () => {
    const tom = await organizations.user('tom');
    const answers = [];
    answers.push(await accept(sam, await organizations.invite(olga, acme, tom)));
    const replaced = await organizations.invite(olga, acme, tom);
    const revoked = await organizations.invite(olga, acme, tom);
    answers.push(await accept(tom, replaced));
    const { body } = await send(olga, 'get', `/organizations/${acme}/invitations`).expect(200);
    const { id } = body.invitations.find(({ email }: { email: string }) => email === tom.email);
    await send(olga, 'delete', `/organizations/${acme}/invitations/${id}`).expect(204);
    await send(olga, 'delete', `/organizations/${acme}/invitations/${id}`).expect(404);
    answers.push(await accept(tom, revoked));
    const expired = await organizations.invite(olga, acme, tom);
    await organizations.server.db.asAdmin(
      'update app_public.organization_invitations set expires_at = now() where email = $1',
      [tom.email],
    );
    answers.push(await accept(tom, expired));
    for (const guess of ['x', 'A'.repeat(64), `${expired.slice(0, 22)}${'A'.repeat(42)}`])
      answers.push(await accept(tom, guess));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 403));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    for (const token of ['', undefined, null, 7])
      expect((await accept(tom, token)).status).toBe(token === '' ? 403 : 400);
  });

  test('one whose sender has lost the right is refused', async () => {
    const id = await organizations.create(olga, 'Rights');
    await organizations.join(olga, id, mia, 'owner');
    const uma = await organizations.user('uma');
    const demoted = await organizations.invite(mia, id, uma, 'owner');
    await send(olga, 'patch', `/organizations/${id}/members/${mia.id}`, { role: 'admin' }).expect(200);
    await accept(uma, demoted).expect(403);
    const ulf = await organizations.user('ulf');
    const removed = await organizations.invite(mia, id, ulf, 'member');
    await send(olga, 'delete', `/organizations/${id}/members/${mia.id}`).expect(204);
    await accept(ulf, removed).expect(403);
  });

  test('an admin neither replaces nor revokes the invitation of an owner', async () => {
    const id = await organizations.create(olga, 'Owners');
    await organizations.join(olga, id, adam, 'admin');
    const { body } = await send(olga, 'post', `/organizations/${id}/invitations`, {
      email: 'boss@example.com',
      role: 'owner',
    });
    const path = `/organizations/${id}/invitations`;
    await send(adam, 'post', path, { email: 'boss@example.com', role: 'viewer' }).expect(403);
    await send(adam, 'delete', `${path}/${body.id}`).expect(403);
    expect((await send(olga, 'get', path)).body.invitations).toMatchObject([{ id: body.id, role: 'owner' }]);
  });

  test('a stranger uses up no limit of an address', async () => {
    const path = `/organizations/${absent}/invitations`;
    await send(sam, 'post', path, { email: 'victim@example.com', role: 'viewer' }).expect(403);
    const text = "select key from app_private.rate_limits where key ~ '^invited?:account'";
    const before = await organizations.server.db.asAdmin(text);
    await send(sam, 'post', path, { email: 'victim2@example.com', role: 'viewer' }).expect(403);
    expect(await organizations.server.db.asAdmin(text)).toEqual(before);
  });

  test('a member keeps the role when accepting another one', async () => {
    const id = await organizations.create(olga, 'Twice');
    const token = await organizations.invite(olga, id, mia, 'viewer');
    await organizations.server.db.asAdmin(
      `insert into app_public.organization_members (organization_id, user_id, username, role) values ($1, $2, 'mia', 'admin')`,
      [id, mia.id],
    );
    const { body } = await accept(mia, token).expect(200);
    expect(body.role).toBe('admin');
  });

  test('only owners and admins invite, list and revoke', async () => {
    for (const user of [mia, vera]) {
      await invite(user, 'x@example.com', 'viewer').expect(403);
      await send(user, 'get', `/organizations/${acme}/invitations`).expect(403);
      await send(user, 'delete', `/organizations/${acme}/invitations/${absent}`).expect(403);
    }
    const { body } = await send(adam, 'get', `/organizations/${acme}/invitations`).expect(200);
    expect(Object.keys(body.invitations[0]).sort()).toEqual(['email', 'expiresAt', 'id', 'role']);
  });

  test('a member is not invited again, and bad input is named', async () => {
    await invite(olga, mia.email, 'admin').expect(409);
    const { body } = await invite(olga, 'no address', 'king').expect(400);
    expect(body.errors.map(({ path }: { path: string }) => path)).toEqual(['email', 'role']);
  });

  test('an organization has at most 100 open ones', async () => {
    const id = await organizations.create(olga, 'Many');
    await organizations.server.db.asAdmin(
      `insert into app_public.organization_invitations (organization_id, email, role, token_hash, invited_by, expires_at)
       select $1, 'user' || n || '@example.com', 'viewer', sha256(n::text::bytea), $2, now() + interval '1 hour'
       from generate_series(1, 100) n`,
      [id, olga.id],
    );
    const more = () =>
      send(olga, 'post', `/organizations/${id}/invitations`, { email: 'more@example.com', role: 'viewer' });
    await more().expect(409);
    await organizations.server.db.asAdmin(
      'update app_public.organization_invitations set expires_at = now() where organization_id = $1',
      [id],
    );
    await more().expect(201);
  });
});

describe('the end of an account', () => {
  const close = ({ password }: Tenant, user: Tenant) => send(user, 'delete', '/auth/me', { password });

  test('is refused to the only owner of an organization with other members', async () => {
    const nora = await organizations.user('nora');
    const id = await organizations.create(nora, 'Nora Ltd');
    await organizations.join(nora, id, mia);
    const { body } = await close(nora, nora).expect(409);
    expect(body.detail).toContain('"Nora Ltd"');
    await send(nora, 'patch', `/organizations/${id}/members/${mia.id}`, { role: 'owner' }).expect(200);
    await close(nora, nora).expect(204);
    expect(await rolesIn(mia, id)).toEqual({ mia: 'owner' });
  });

  test('counts a role that the user gets while the deletion is under way', async () => {
    const rosa = await organizations.user('rosa');
    const id = await organizations.create(olga, 'Rosa next');
    await organizations.join(olga, id, rosa);
    await organizations.join(olga, id, vera);
    await withClient(organizations.server.db.adminUrl, async (client) => {
      await client.query('begin');
      await client.query('select from app_public.organizations where id = $1 for no key update', [id]);
      const closing = close(rosa, rosa).then(({ status }) => status);
      await organizations.waiting(1);
      await client.query(
        "update app_public.organization_members set role = 'owner' where organization_id = $1 and user_id = $2",
        [id, rosa.id],
      );
      await client.query('delete from app_public.organization_members where organization_id = $1 and user_id = $2', [
        id,
        olga.id,
      ]);
      await client.query('commit');
      expect(await closing).toBe(409);
    });
  });

  test('that is refused keeps the organizations', async () => {
    const petra = await organizations.user('petra');
    const id = await organizations.create(petra, 'Petra alone');
    await withClient(organizations.server.db.adminUrl, async (client) => {
      await client.query('begin');
      await client.query(
        `update app_private.credentials set password_hash = (select password_hash from app_private.credentials where user_id = $2)
        where user_id = $1`,
        [petra.id, olga.id],
      );
      const closing = close(petra, petra).then(({ status }) => status);
      await organizations.waiting(1);
      await client.query('commit');
      expect(await closing).toBe(400);
    });
    expect(
      await organizations.server.db.asAdmin('select from app_public.organizations where id = $1', [id]),
    ).toHaveLength(1);
  });

  test('deletes organizations without another member', async () => {
    const lena = await organizations.user('lena');
    const id = await organizations.create(lena, 'Lena alone');
    await close(lena, lena).expect(204);
    expect(await organizations.server.db.asAdmin('select from app_public.organizations where id = $1', [id])).toEqual(
      [],
    );
    expect(await eventsOf(id)).toEqual(['organization_created', 'organization_deleted']);
  });
});

describe('an export', () => {
  const exported = (user: Tenant, id?: string) => {
    const request = send(user, 'get', '/auth/export');
    return id === undefined ? request : request.set('X-Organization-Id', id);
  };

  test('of an organization is for owners, and has its rows and no personal ones', async () => {
    const id = await organizations.create(olga, 'Exported');
    await organizations.join(olga, id, adam, 'admin');
    await organizations.graphql(
      olga,
      id,
      'mutation { createTask(input: {task: {title: "shared"}}) { task { rowId } } }',
    );
    await olga.graphql('mutation { createTodo(input: {todo: {title: "personal"}}) { todo { rowId } } }').expect(200);
    await exported(adam, id).expect(403);
    const { tables } = JSON.parse((await exported(olga, id).expect(200)).text);
    expect(Object.keys(tables)).toEqual([
      'organization_invitations',
      'organization_members',
      'organizations',
      'projects',
      'tasks',
    ]);
    expect(tables.organizations).toMatchObject([{ name: 'Exported' }]);
    expect(tables.tasks).toMatchObject([{ title: 'shared' }]);
    expect(tables.organization_members).toHaveLength(2);
    expect(await eventsOf(id)).toContain('organization_exported');
  });

  test('of a user has no rows of organizations', async () => {
    const { text } = await exported(olga).expect(200);
    expect(text).toContain('personal');
    expect(Object.keys(JSON.parse(text).tables)).not.toContain('tasks');
  });
});

test('the audit log has every change of members, with the member and the organization', async () => {
  const id = await organizations.create(olga, 'Audited');
  await organizations.join(olga, id, mia);
  await send(olga, 'patch', `/organizations/${id}/members/${mia.id}`, { role: 'admin' }).expect(200);
  await send(olga, 'delete', `/organizations/${id}/members/${mia.id}`).expect(204);
  expect(await eventsOf(id)).toEqual([
    'organization_created',
    'member_invited',
    'invitation_accepted',
    'member_role_changed',
    'member_removed',
  ]);
  const { body } = await olga.graphql(
    `query ($id: UUID!) { auditEvents(condition: {organizationId: $id}) { nodes { event memberId } } }`,
    { id },
  );
  expect(body.data.auditEvents.nodes).toContainEqual({ event: 'member_removed', memberId: mia.id });
});
