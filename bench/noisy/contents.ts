import type pg from 'pg';
import { addTo } from '../database.ts';
import { filledUntil, idOf } from '../ids.ts';

/** Numbers of the flooding tenants: no other tenant has a negative one. */
export const floodingTenants = { many: -1, large: -2 } as const;

const todosOf = { many: 60_000, large: 1000 } as const;
const lists = 100;

/** The standard contents plus the flooding tenants. */
export const noisyContents = addTo('noisy', import.meta.filename, addFloodingTenants);

async function addFloodingTenants(admin: pg.Client): Promise<void> {
  const { many, large } = floodingTenants;
  const letters = (text: string) => `translate(md5(${text}), '0123456789', 'ghijklmnop')`;
  // Skip the foreign key checks: the inserted rows are valid by construction.
  await admin.query('set session_replication_role = replica');
  await admin.query(`
    insert into app_public.users (id, email, username)
    select ${idOf.user('n')}, 'noisy' || n || '@example.com', 'noisy' || n from unnest(array[${many}, ${large}]) n;
    insert into app_private.credentials (user_id, password_hash)
    select ${idOf.user('n')}, '$argon2id$none' from unnest(array[${many}, ${large}]) n;
    insert into app_private.sessions (id, user_id, family_hash, refresh_token_hash, expires_at)
    select ${idOf.session('n')}, ${idOf.user('n')}, sha256(('family' || n)::bytea), sha256(n::text::bytea), now() + interval '10 years'
    from unnest(array[${many}, ${large}]) n;
    insert into app_public.lists (user_id, id, name)
    select ${idOf.user('n')}, ${idOf.list('n', 'l')}, 'List ' || l
    from unnest(array[${many}, ${large}]) n, generate_series(0, ${lists - 1}) l;
    insert into app_public.todos (user_id, id, list_id, title, description, created_at, updated_at)
    select ${idOf.user('n')}, ${idOf.todo('n', 'k')}, ${idOf.list('n', `k % ${lists}`)}, 'Todo ' || k,
      (select string_agg(left(${letters("k || ' ' || word")}, 31), ' ') from generate_series(1, 10) word), at, at
    from (values (${many})) tenant (n), generate_series(1, ${todosOf.many}) k,
      lateral (select timestamptz '${filledUntil}' - (k + 1440) * interval '1 minute' as at) a;
    insert into app_public.todos (user_id, id, list_id, title, description, created_at, updated_at)
    select ${idOf.user('n')}, ${idOf.todo('n', 'k')}, ${idOf.list('n', `k % ${lists}`)}, 'Todo ' || k,
      left(repeat('Trim the hedge along the lane before the birds nest. ', 200), 9900), at, at
    from (values (${large})) tenant (n), generate_series(1, ${todosOf.large}) k,
      lateral (select timestamptz '${filledUntil}' - (k + 1440) * interval '1 minute' as at) a`);
  await admin.query('reset session_replication_role');
  await admin.query('vacuum (analyze)');
}
