import { hostname, userInfo } from 'node:os';
import type pg from 'pg';
import { z } from 'zod';
import { parseJson } from '../../common/parseJson.ts';
import type { Branch } from './branch.ts';

/** The JSON in the comment on a branch's database. Only a database with this mark counts as a branch. */
const mark = z.object({
  hedgerow: z.literal('branch'),
  name: z.string(),
  of: z.string(),
  createdAt: z.iso.datetime(),
  by: z.string(),
});

/** A branch that is a database of the same Postgres. */
export interface BranchDatabase extends Branch {
  readonly database: string;
}

/** Marks `database` as the branch `name` of the database `of`. */
export async function markBranch(admin: pg.Client, database: string, name: string, of: string): Promise<void> {
  const by = `${userInfo().username}@${hostname()}`;
  const text: z.infer<typeof mark> = { hedgerow: 'branch', name, of, createdAt: new Date().toISOString(), by };
  await admin.query(
    `comment on database ${admin.escapeIdentifier(database)} is ${admin.escapeLiteral(JSON.stringify(text))}`,
  );
}

/** Returns the branches of the database `of`, oldest first. */
export async function markedBranches(admin: pg.Client, of: string): Promise<BranchDatabase[]> {
  const { rows } = await admin.query<{ database: string; comment: string; bytes: string | null }>(
    `select datname as database, shobj_description(oid, 'pg_database') as comment,
       case when has_database_privilege(oid, 'connect') then pg_database_size(oid) end as bytes
     from pg_database where shobj_description(oid, 'pg_database') like '{%'`,
  );
  const branches = rows.flatMap(({ database, comment, bytes }) => {
    const { data } = mark.safeParse(parseJson(comment));
    if (data?.of !== of) return [];
    const { name, createdAt, by } = data;
    return { database, name, of, createdAt, by, bytes: bytes === null ? undefined : Number(bytes) };
  });
  return branches.sort((a, b) => a.createdAt.localeCompare(b.createdAt));
}

/** Whether the database that `client` is connected to is a branch. */
export async function isBranch(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ comment: string | null }>(
    `select shobj_description(oid, 'pg_database') as comment from pg_database where datname = current_database()`,
  );
  return mark.safeParse(parseJson(rows[0]?.comment ?? '')).success;
}
