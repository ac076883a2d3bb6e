import { randomBytes } from 'node:crypto';
import { styleText } from 'node:util';
import { pino } from 'pino';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import type { Result } from '../../postgres/statement.ts';
import type { Target } from '../../postgres/target/target.ts';
import { beginSession, type User } from '../../server/auth/sessions/begin.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import { createReadiness } from '../../server/tenancy/readiness.ts';
import {
  type Database,
  type IdentifiedClient,
  IdentityRefusedError,
  TenantDatabase,
} from '../../server/tenancy/tenantDatabase.ts';
import { command, onTarget } from '../cli/command.ts';
import { demandServer } from '../tenantClient.ts';

interface Options {
  readonly preparedStatements: boolean;
  readonly json?: boolean;
}

export const checkCommand = command(
  'check',
  'connect as the server does, and create, read, update and delete a row as a test tenant',
)
  .option(
    '--no-prepared-statements',
    'for a pooler that does not track prepared statements, like DB_PREPARED_STATEMENTS=off',
  )
  .option('--json', 'print JSON')
  .action(onTarget<Options>(check));

interface Step {
  readonly step: string;
  readonly milliseconds: number;
  /** The error message; absent if the step succeeded. */
  readonly error?: string;
}

/** Runs a tenant's typical operations over the server's connection. Deletes the test data afterwards. */
async function check(target: Target, { preparedStatements, json }: Options): Promise<ExitCode> {
  const url = demandServer(target);
  const options = { size: 2, timeout: 5, recycle: 1800, preparedStatements };
  const database = new TenantDatabase(url, options, pino({ level: 'silent' }));
  const steps: Step[] = [];
  if (!json) console.log(target.name);
  const step = async <Answer>(name: string, work: () => Promise<Answer>): Promise<Answer> => {
    const start = performance.now();
    const note = (error?: string) => {
      const milliseconds = Math.round((performance.now() - start) * 10) / 10;
      steps.push({ step: name, milliseconds, ...(error !== undefined && { error }) });
      if (json) return;
      const [color, mark, rest] =
        error === undefined ? (['green', '✓', ''] as const) : (['red', '✗', `: ${error}`] as const);
      console.log(`${styleText(color, mark)} ${name}${rest} (${milliseconds} ms)`);
    };
    try {
      const answer = await work();
      note();
      return answer;
    } catch (error) {
      note((error as Error).message);
      throw new StepError();
    }
  };
  try {
    await step('connect as the server to a database that is ready to serve', () => ready(database));
    await walk(database, step);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
  } finally {
    await database.close();
  }
  if (json) console.log(JSON.stringify({ database: target.name, steps }));
  return steps.some(({ error }) => error !== undefined) ? 1 : 0;
}

/** Ends the check after a failed step, which has been reported already. */
class StepError extends Error {}

type Run = <Answer>(name: string, work: () => Promise<Answer>) => Promise<Answer>;

async function walk(database: Database, step: Run): Promise<void> {
  const signIn = database.as(Identity.signIn);
  const accounts: { id: string; sessionId: string }[] = [];
  try {
    for (const name of ['a test tenant', 'a second one'])
      accounts.push(await step(`create ${name}`, () => createAccount(signIn)));
    const [tenant, other] = accounts.map(({ id, sessionId }) => database.as(Identity.tenant(id, sessionId)));
    await rows(tenant as IdentifiedClient, other as IdentifiedClient, step);
    await step('revoke the session: its token is rejected at once', async () => {
      await signIn.query({
        text: 'update app_private.sessions set revoked_at = now() where id = $1',
        values: [accounts[0]?.sessionId],
      });
      const refused = await (tenant as IdentifiedClient).query({ text: 'select' }).catch((error) => error);
      if (!(refused instanceof IdentityRefusedError)) throw new Error('a revoked session can still read');
    });
  } finally {
    const ids = accounts.map(({ id }) => id);
    await step('remove the test tenants', () =>
      signIn.query({ text: 'delete from app_public.users where id = any ($1)', values: [ids] }),
    );
  }
}

async function rows(tenant: IdentifiedClient, other: IdentifiedClient, step: Run): Promise<void> {
  // Use a table of Hedgerow itself, because projects can drop others. Idempotency keys expire after a day in any case.
  const key = 'a row of npm run db -- check';
  const hash = Buffer.alloc(32);
  await step('create a row', async () =>
    one(
      await tenant.query({
        text: 'insert into app_public.idempotency_keys (key, request_hash) values ($1, $2) returning key',
        values: [key, hash],
      }),
    ),
  );
  const own = { text: 'select key from app_public.idempotency_keys where key = $1', values: [key] };
  const update = {
    text: "update app_public.idempotency_keys set answer = '{}' where key = $1 returning key",
    values: [key],
  };
  const remove = { text: 'delete from app_public.idempotency_keys where key = $1 returning key', values: [key] };
  await step('read it', async () => one(await tenant.query(own)));
  await step('update it', async () => one(await tenant.query(update)));
  await step('the second tenant cannot read, update or delete it', async () => {
    for (const statement of [own, update, remove]) {
      const { rows } = await other.query(statement);
      if (rows.length > 0) throw new Error(`a tenant reached another's row by ${statement.text}`);
    }
  });
  await step('delete it', async () => one(await tenant.query(remove)));
}

async function ready(database: Database): Promise<void> {
  const reasons = await createReadiness(database).reasonsNotToServe();
  if (reasons.length > 0) throw new UsageError(reasons.join('; '));
}

/** Creates an account without a valid password, and a session. Writes no audit log entry, because those are permanent. */
function createAccount(signIn: IdentifiedClient): Promise<{ id: string; sessionId: string }> {
  const username = `check-${randomBytes(8).toString('hex')}`;
  return signIn.transaction(async (transaction) => {
    const user = one(
      await transaction.query<User>({
        text: 'insert into app_public.users (email, username) values ($1, $2) returning id, email, username',
        values: [`${username}@hedgerow.invalid`, username],
      }),
    );
    await transaction.query({
      text: "insert into app_private.credentials (user_id, password_hash) values ($1, '$argon2id$none')",
      values: [user.id],
    });
    const { sessionId } = await beginSession(transaction, user, {
      address: undefined,
      userAgent: 'npm run db -- check',
    });
    return { id: user.id, sessionId };
  });
}

function one<Row>({ rows }: Result<Row>): Row {
  if (rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`);
  return rows[0] as Row;
}
