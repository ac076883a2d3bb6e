import type pg from 'pg';
import { filledUntil, idOf, listsPerTenant, todosPerTenant } from './ids.ts';
import type { Report } from './progress.ts';

const chunk = 500_000;

/**
 * Fills an empty database with `rows` todos. The tenants write in turns, as in production, so that the rows of each
 * tenant spread over the whole table.
 */
export async function fill(admin: pg.Client, rows: number, report: Report): Promise<void> {
  const tenants = rows / todosPerTenant;
  // Skip the foreign key checks: the inserted rows are valid by construction.
  await admin.query('set session_replication_role = replica');
  await admin.query(`
    insert into app_public.users (id, email, username)
    select ${idOf.user('n')}, 'bench' || n || '@example.com', 'bench' || n from generate_series(0, ${tenants - 1}) n;
    insert into app_private.credentials (user_id, password_hash)
    select id, '$argon2id$none' from app_public.users;
    insert into app_private.sessions (id, user_id, family_hash, refresh_token_hash, expires_at)
    select ${idOf.session('n')}, ${idOf.user('n')}, sha256(('family' || n)::bytea), sha256(n::text::bytea), now() + interval '10 years'
    from generate_series(0, ${tenants - 1}) n;
    insert into app_public.lists (user_id, id, name)
    select ${idOf.user('n')}, ${idOf.list('n', 'l')}, 'List ' || l
    from generate_series(0, ${tenants - 1}) n, generate_series(0, ${listsPerTenant - 1}) l`);
  for (let from = 0; from < rows; from += chunk) {
    const to = Math.min(from + chunk, rows);
    await admin.query(`
      insert into app_public.todos
        (user_id, id, list_id, title, description, completed, priority, due_date, created_at, updated_at)
      select ${idOf.user('n')}, ${idOf.todo('n', 'k')}, ${idOf.list('n', `k % ${listsPerTenant}`)}, 'Todo ' || k || ' of tenant ' || n,
        'What there is to say about it, in about as many words as people use.', k % 3 = 0, k % 6,
        date '2025-06-01' + k::int % 100, at, at
      from generate_series(${from}, ${to - 1}) i,
        lateral (select i % ${tenants} as n, i / ${tenants} as k) t,
        lateral (select timestamptz '2025-01-01' + k * interval '1 minute' as at) a`);
    report(`filling: ${to.toLocaleString('en')} of ${rows.toLocaleString('en')} todos`);
  }
  await admin.query('reset session_replication_role');
  report('vacuum, analyze, checkpoint');
  await admin.query('vacuum (analyze)');
  await admin.query('checkpoint');
}

/** Deletes the rows that workloads have written: todos of the given tenants that are newer than the filled ones. */
export async function tidy(admin: pg.Client, userIds: readonly string[]): Promise<void> {
  await admin.query('delete from app_public.todos where user_id = any($1) and created_at > $2', [userIds, filledUntil]);
  await admin.query('vacuum (analyze, index_cleanup on) app_public.todos');
}
