import type { Result, Statement } from './statement.ts';

/** Runs statements that read catalogs alone. */
interface CatalogReader {
  inspect<Row>(statement: Statement): Promise<Result<Row>>;
}

/** The first minor version of each major one in which `insert … on conflict do update … where` tells nothing of rows that policies hide. */
const fixedIn: Readonly<Record<number, number>> = { 15: 20, 16: 16, 17: 12, 18: 7 };

/**
 * What to do about a Postgres that lacks a fix which row-level security needs; undefined where it has it.
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

/** Advice about the Postgres of `database`, one sentence each. It is for servers that the operator can update. */
export async function postgresAdvice(database: CatalogReader): Promise<string[]> {
  const { rows } = await database.inspect<{ version: number }>({
    text: "select current_setting('server_version_num')::int as version",
  });
  return rows.flatMap(({ version }) => patchAdvice(version) ?? []);
}
