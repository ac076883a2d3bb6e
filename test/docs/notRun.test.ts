import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { blocksOf } from './page.ts';

/** Blocks that no test runs as they stand: their page, and their first line without its comment. */
const notRun = [
  // They measure, for minutes.
  ['bench.md', 'npm run bench -- --workloads list,create --rounds 3'],
  ['bench.md', 'npm run bench:logins'],
  ['bench.md', 'npm run bench:organizations'],
  // test/dba tests the commands, and test/server/auth tests the keys.
  ['dba.md', 'npm run db -- watch'],
  ['dba.md', 'eval "$(npm run -s db -- env)" && npx graphile-migrate status'],
  [
    'dba.md',
    'npm run db -- new-table notes --columns "title text not null, due date, list_id uuid references app_public.lists" --live --search',
  ],
  // test/dba/withoutExample.slow.test.ts.
  ['dba.md', 'cp docs/remove-example.sql current.sql'],
  ['dba.md', 'npm run db -- rehearse'],
  ['dba.md', "echo '--! include policies/app_public.lists.sql' >> current.sql"],
  ['dba.md', 'npm run db -- rebase'],
  ['dba.md', 'npm run db -- branch create tags'],
  ['dba.md', 'npm run db -- backfill app_public.todos --set "importance = priority" --where "importance is null"'],
  ['dba.md', 'npm run db -- backup monday.backup'],
  // test/dba/lookAfter.test.ts.
  [
    'dba.md',
    "npm run db -- explain --as ada@example.com --analyze 'query Overview { todos { nodes { title } totalCount } }'",
  ],
  // Needs a Postgres elsewhere; test/dba/init.test.ts does the same here.
  ['operator.md', "export ROOT_DATABASE_URL='postgres://postgres:…@db.example.com/postgres'"],
  ['operator.md', 'npm run --silent keys'],
  // test/server/unsafeSchema.test.ts sets it.
  ['operator.md', 'ALLOW_UNSAFE_SCHEMA=security-definer,materialized-view'],
  // They are runs of the tests themselves.
  ['tester.md', 'npm test'],
  ['tester.md', "import { signUp, startTestServer, type Tenant, type TestServer } from '../support/server.ts';"],
  ['tester.md', "for (const policy of ['select_own', 'update_own'])"],
  // test/isolation/cli.test.ts runs it, on less.
  ['tester.md', 'npm run isolation'],
  ['tester.md', 'npm run isolation -- --only interleaving --operations 100000'],
  // test/isolation/server.test.ts does, on a server of its own.
  ['tester.md', 'npm run isolation -- --server https://staging.example.com --graphql-schema schema.graphql'],
  [
    'tester.md',
    'npm run isolation -- --database-url "$URL" --clone --schema public --role app_user --setting app.tenant_id',
  ],
  ['tester.md', 'npm run test:leak'],
  ['tester.md', 'npm run test:hostile -- --requests 5000 --seed 42'],
  ['tester.md', 'npm run test:hostile -- --floods'],
];

test('every block of the pages is run, or is known not to be', async () => {
  const pages = (await readdir(join(root, 'docs')))
    .filter((page) => page.endsWith('.md') && page !== 'tenant.md')
    .sort();
  const found = [];
  for (const page of pages) {
    for (const { language, text } of await blocksOf(page)) {
      if (['sh', 'ts'].includes(language)) found.push([page, text.split(/\s+#|\n/, 1)[0]]);
    }
  }
  expect(found).toEqual(notRun);
});
