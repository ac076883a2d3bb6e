import { killBackends } from '../../../isolation/interleaving/backends.ts';
import { type Organizations, startOrganizations } from './setUp.ts';

let organizations: Organizations;

// The role's time limit is shorter than a deletion of a member takes.
beforeAll(async () => {
  organizations = await startOrganizations();
  const { database, db } = organizations.server;
  const [{ name } = { name: '' }] = await db.asAdmin<{ name: string }>('select current_database() as name');
  await db.asAdmin(`alter role hedgerow_authenticator in database ${name} set statement_timeout = '2s'`);
  await db.asAdmin(`create function app_private.take_time() returns trigger language plpgsql
    as $$ begin perform pg_sleep(3); return old; end $$;
    create trigger take_time before delete on app_public.organization_members
    for each row execute function app_private.take_time()`);
  await killBackends(db);
  // The pool notices a killed connection when it uses it.
  const useAll = () => Promise.all([1, 2, 3].map(() => database.inspect({ text: 'select pg_sleep(0.1)' })));
  for (let isNew = false; !isNew; ) {
    isNew = await useAll().then(
      () => true,
      () => false,
    );
  }
});
afterAll(() => organizations.close());

test('members are removed, and organizations and accounts deleted, however many rows refer to them', async () => {
  const [olga, mia] = [await organizations.user('olga'), await organizations.user('mia')];
  const [left, kept] = [await organizations.create(olga), await organizations.create(olga)];
  await organizations.join(olga, left, mia);
  await organizations.join(olga, kept, mia);
  await organizations.send(mia, 'delete', `/organizations/${left}/members/${mia.id}`).expect(204);
  await organizations.send(olga, 'delete', `/organizations/${left}`).expect(204);
  await organizations.send(mia, 'delete', '/auth/me', { password: mia.password }).expect(204);
});
