import { writeFile } from 'node:fs/promises';
import { Option } from 'commander';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import { currentFile, demandBlankCurrent, readCurrent } from '../../postgres/migrate/currentSql.ts';
import { command, run } from '../cli/command.ts';
import { demandName, demandRelation, parseColumns } from '../newTable/columns.ts';
import { demandFree, demandTarget } from '../newTable/existing.ts';
import { tableSql } from '../newTable/tableSql.ts';
import { readSnapshot } from './snapshot.ts';

interface Options {
  readonly columns: string;
  readonly owner: 'user' | 'organization';
  readonly live?: boolean;
  readonly search?: boolean;
  readonly append?: boolean;
}

export const newTableCommand = command('new-table', 'write the SQL of a new tenant table to current.sql')
  .argument('<name>', 'the name of the table in app_public')
  .requiredOption('--columns <list>', 'columns besides id, owner and created_at: "title text not null, due date"')
  .addOption(new Option('--owner <owner>', 'the owner of each row').choices(['user', 'organization']).default('user'))
  .option('--live', 'send changes to GraphQL subscriptions')
  .option('--search', 'add a search over the text columns')
  .option('--append', 'append to current.sql if it is not empty')
  .action((name: string, options: Options) => run(() => newTable(name, options)));

/** Writes the SQL described in docs/dba.md, "A new tenants' table". Needs no database. */
async function newTable(
  given: string,
  { columns: list, owner, live = false, search = false, append = false }: Options,
): Promise<ExitCode> {
  const name = given.replace(/^app_public\./, '');
  demandName('table', name);
  const columns = parseColumns(list);
  if (search && !columns.some(({ isSearchable }) => isSearchable)) {
    throw new UsageError(
      '--search needs a column of type text. Arrays and generated columns are not searched: leave out --search.',
    );
  }
  const existing = { snapshot: await readSnapshot(), current: await readCurrent() };
  const { current } = existing;
  demandFree(name, existing, search);
  const key = owner === 'user' ? 'user_id' : 'organization_id';
  demandRelation(key, columns);
  for (const column of columns) demandTarget(column, name, key, existing);
  if (!append) await demandBlankCurrent();
  const sql = tableSql({ name, columns, owner, live, search });
  await writeFile(currentFile, append && current.trim() ? `${current.trimEnd()}\n\n${sql}` : sql);
  console.log(`Wrote app_public.${name} to current.sql. Next: npm run db -- watch`);
  return 0;
}
