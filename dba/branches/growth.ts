import { withClient } from '../../postgres/withClient.ts';
import { size } from '../cli/progress.ts';

/**
 * How much of a copy is there. A database that is being made is in no catalog yet, so it is looked for among the files,
 * which takes a superuser; for others the words are only how much there is to copy.
 *
 * @param whole the size of what is copied, in bytes.
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
    return copied?.[0] ? `${size(Number(copied[0]))} of ${size(whole)}` : `${size(whole)} in all`;
  };
}
