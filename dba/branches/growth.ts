import { withClient } from '../../postgres/withClient.ts';
import { size } from '../cli/progress.ts';

/**
 * Reports the progress of a database copy. A database that is being created is not in the catalog yet, so its size is
 * read from the data directory. Only a superuser may do that; for other roles the progress is only the total size.
 *
 * @param whole the size of the source database, in bytes.
 * @returns a function that returns the current progress: "3.1 MB of 9.4 MB".
 */
export async function growth(adminUrl: string, whole: number): Promise<() => Promise<string>> {
  const folders = `select d from pg_ls_dir('base') d where d ~ '^[0-9]+$'`;
  const ask = (text: string, values: unknown[] = []) =>
    withClient(adminUrl, async (client) => {
      return (await client.query({ text, values, rowMode: 'array' })).rows.flat() as string[];
    });
  const before = await ask(folders).catch(() => undefined);
  return async () => {
    const copied =
      before && (await ask(`select max(pg_database_size(d::oid)) from (${folders}) f where d <> all($1)`, [before]));
    return copied?.[0] ? `${size(Number(copied[0]))} of ${size(whole)}` : `${size(whole)} in total`;
  };
}
