import type { Result, Statement } from './statement.ts';

/** Runs statements that read only catalogs. */
interface CatalogReader {
  inspect<Row>(statement: Statement): Promise<Result<Row>>;
}

/** First fixed minor version by major version. Before it, `insert … on conflict do update … where` leaks rows that policies hide. */
const fixedIn: Readonly<Record<number, number>> = { 15: 20, 16: 16, 17: 12, 18: 7 };

/**
 * Returns advice for a Postgres without a fix that row-level security needs; undefined if it has the fix.
 *
 * @param version `server_version_num`, such as 180007.
 */
export function patchAdvice(version: number): string | undefined {
  const [major, minor] = [Math.floor(version / 10_000), version % 10_000];
  const needed = fixedIn[major];
  if (needed === undefined ? major > 15 : minor >= needed) return undefined;
  const to = needed === undefined ? 'a newer Postgres' : `Postgres ${major}.${needed}`;
  return `Postgres ${major}.${minor} lets a wrong guess about a hidden row be told from a right one: update to ${to}`;
}

/** Returns advice about the Postgres of `database`, one sentence each, for operators who can update it. */
export async function postgresAdvice(database: CatalogReader): Promise<string[]> {
  const { rows } = await database.inspect<{ version: number }>({
    text: "select current_setting('server_version_num')::int as version",
  });
  return rows.flatMap(({ version }) => patchAdvice(version) ?? []);
}
