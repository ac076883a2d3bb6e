import pino from 'pino';
import { makeSchema } from 'postgraphile';
import { $$inhibit, flagError, grafast, lambda, type Step } from 'postgraphile/grafast';
import type { ExecutionResult, GraphQLSchema } from 'postgraphile/graphql';
import { extendSchema, gql } from 'postgraphile/utils';
import type { Database } from '../../../../server/database/database.ts';
import { Identity } from '../../../../server/database/identity.ts';
import type { OperationPlan } from '../../../../server/graphql/answers/plan.ts';
import { preset } from '../../../../server/graphql/preset.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { openConnections } from '../../../support/openDatabase.ts';
import { createAccount } from '../../../support/sql.ts';

/** The API without its HTTP. */
export interface Api {
  readonly schema: GraphQLSchema;
  /** The data as JSON, or as objects; for Ada, unless somebody else asks. */
  ask(document: string, asObjects?: boolean, identity?: Identity): Promise<ExecutionResult<unknown>>;
}

export interface Apis {
  readonly ada: Identity;
  readonly bob: Identity;
  /** Lists are written by Grafast, unless `write` has something else done; it is called with each operation's plan. */
  api(write?: (plan: OperationPlan) => void): Promise<Api>;
  close(): Promise<void>;
}

/** APIs on a database with columns of all kinds, and rows that cannot be answered. */
export async function startApis(): Promise<Apis> {
  const db = await createTestDatabase();
  await makeTables(db);
  const database = openConnections(db);
  const [ada, bob] = [await createTenant(db, 'ada'), await createTenant(db, 'bob')];
  return {
    ...{ ada, bob },
    api: (write = () => {}) => startApi(database, ada, write),
    close: async () => {
      await database.close();
      await db.drop();
    },
  };
}

async function startApi(database: Database, ada: Identity, write: (plan: OperationPlan) => void): Promise<Api> {
  const plugin: GraphileConfig.Plugin = {
    name: 'TestPlugin',
    version: '1.0.0',
    grafast: {
      middleware: {
        execute(next, { args }) {
          args.outputDataAsString = (args.requestContext as { asString: boolean }).asString;
          return next();
        },
        establishOperationPlan(next) {
          const plan = next();
          write(plan as object as OperationPlan);
          return plan;
        },
      },
    },
  };
  const base = preset({ database, log: pino({ level: 'silent' }), production: false });
  const settings = { extends: [base], plugins: [plugin, flaggedPlugin], disablePlugins: ['TextAnswersPlugin'] };
  const { schema, resolvedPreset } = await makeSchema(settings);
  return {
    schema,
    ask: (source, asObjects = false, identity = ada) => {
      const req = { user: { identity }, get: () => undefined };
      const requestContext = { expressv4: { req }, asString: !asObjects } as never;
      return grafast({ schema, source, resolvedPreset, requestContext }) as Promise<ExecutionResult<unknown>>;
    },
  };
}

/** A field whose step says, in Grafast's way, that it has an error, or nothing, in the place of a value. */
const flaggedPlugin = extendSchema({
  typeDefs: gql`extend type Kind { flagged: JSON }`,
  objects: {
    Kind: {
      plans: {
        flagged: ($kind: { get(name: string): Step<number> }) => lambda($kind.get('n'), flagged, true),
      },
    },
  },
});

function flagged(n: number) {
  if (n === 2) return flagError(new Error('flagged'));
  return n === 3 ? $$inhibit : n;
}

/** Three lists with three todos each, and a todo without a list. */
async function createTenant(db: TestDatabase, name: string): Promise<Identity> {
  const { id, sessionId } = await createAccount(db, name);
  await db.asAdmin(
    `with list as (
      insert into app_public.lists (user_id, name) select $1, $2 || ' ' || n from generate_series(1, 3) n returning id
    ) insert into app_public.todos (user_id, list_id, title, priority)
      select $1, id, $2 || '’s "todo" ' || n, n from list, generate_series(1, 3) n union all select $1, null, 'loose', 0`,
    [id, name],
  );
  return Identity.tenant(id, sessionId);
}

async function makeTables(db: TestDatabase): Promise<void> {
  await db.asAdmin("create type app_public.mood as enum ('fine', 'so_so')");
  await db.asAdmin('create type app_public.place as (street text, number int)');
  await db.asAdmin(
    `create table app_public.kinds (
      n int primary key, parent_n int references app_public.kinds, label text, words text[], matrix int[][], data jsonb,
      amount numeric, big bigint, ratio float8, flag boolean, day date, at timestamptz, span interval, bytes bytea,
      range int4range, address inet, mood app_public.mood, moods app_public.mood[], place app_public.place,
      places app_public.place[], point point
    )`,
  );
  await db.asAdmin('create index on app_public.kinds (parent_n)');
  await db.asAdmin('grant select on app_public.kinds to hedgerow_tenant');
  await db.asAdmin(
    `insert into app_public.kinds values
      (1, null, '"quoted" \\ {braces} ❤ ' || chr(1) || chr(8232), '{a,"b,c",NULL,"d\\"e"}', '{{1,2},{3,NULL}}',
       '{"then": [1, {"__proto__": null}], "a": "\\u2028"}', 1e30, 9007199254740993, 0.1, true, '2026-02-28',
       '2026-02-28 12:34:56.789+02', '1 year 2 days', '\\x00ff', '[1,5)', '::1', 'so_so', '{fine,so_so,NULL}',
       row('Main "St"', null), array[row('a', 1)::app_public.place, null], '(1,2)'),
      (2, 1, '', '{}', '{}', 'null', 0, 0, -0.0, false, null, null, null, '', 'empty', null, null, '{}', null, '{}', null),
      (3, 1, 'null', null, null, '"text"', null, null, null, null, null, null, null, null, null, null, null, null, null,
       null, null)`,
  );
  // A number that GraphQL has no way to write.
  await db.asAdmin(`create table app_public.faults (n int primary key, label text, ratio float8)`);
  await db.asAdmin('grant select on app_public.faults to hedgerow_tenant');
  await db.asAdmin(`insert into app_public.faults values (1, 'sound', 1), (2, 'odd', 'NaN'), (3, 'sound', 2)`);
  // What is said never to be null, and is.
  await db.asAdmin(
    'create view app_public.peeks with (security_invoker) as select n, label, ratio from app_public.kinds',
  );
  await db.asAdmin("comment on view app_public.peeks is '@primaryKey n'");
  await db.asAdmin("comment on column app_public.peeks.ratio is '@notNull'");
  await db.asAdmin(
    `create table app_public.animals (
      id int primary key, kind text not null, name text, meow text, parent_id int references app_public.animals
    )`,
  );
  await db.asAdmin('create index on app_public.animals (parent_id)');
  await db.asAdmin(
    `comment on table app_public.animals is
      E'@interface mode:single type:kind\\n@type cat name:Cat attributes:meow\\n@type dog name:Dog'`,
  );
  await db.asAdmin(
    "insert into app_public.animals values (1, 'cat', 'Tom', 'miaow', null), (2, 'dog', 'Rex', null, 1)",
  );
  await db.asAdmin('grant select on app_public.peeks, app_public.animals to hedgerow_tenant');
}
