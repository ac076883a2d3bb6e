import { readFile, writeFile } from 'node:fs/promises';
import { withClient } from '../../postgres/withClient.ts';
import { openWorkbench, type Workbench } from '../support/verbs.ts';

let bench: Workbench;
beforeAll(async () => {
  bench = await openWorkbench();
});
afterAll(() => bench.remove());

const save = (sql: string) => writeFile(bench.file('current.sql'), sql);
const tables = () =>
  withClient(bench.database.ownerUrl, async (client) => {
    const { rows } = await client.query(`select relname from pg_class where relname ~ '^saved_' order by relname`);
    return rows.map(({ relname }) => relname);
  });

test('a save during a run is applied after that run, however long it takes', async () => {
  const settings = JSON.parse(await readFile(bench.file('.gmrc'), 'utf8'));
  settings.pgSettings.lock_timeout = '100ms';
  await writeFile(bench.file('.gmrc'), JSON.stringify(settings));
  await save(
    'drop table if exists app_private.saved_first;\nselect pg_sleep(2);\ncreate table app_private.saved_first ();\n',
  );
  const watching = bench.checkout.start('dba/cli.ts', ['watch'], bench.env);
  try {
    await watching.line(/Running current\.sql/);
    await save('drop table if exists app_private.saved_second;\ncreate table app_private.saved_second ();\n');
    await watching.line(/Finished/);
    expect(await tables()).toEqual(['saved_first']);
    await watching.line(/Finished/);
    expect(await tables()).toEqual(['saved_first', 'saved_second']);

    await save('create table app_private.saved_third (;\n');
    await watching.line(/Waiting for the next save/);
    await save('drop table if exists app_private.saved_third;\ncreate table app_private.saved_third ();\n');
    await watching.line(/Finished/);
    expect(await tables()).toEqual(['saved_first', 'saved_second', 'saved_third']);
  } finally {
    expect(await watching.stop()).toBe(0);
  }
}, 60_000);
