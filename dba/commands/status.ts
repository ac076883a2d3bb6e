import { styleText } from 'node:util';
import type pg from 'pg';
import type { ExitCode } from '../../common/usageError.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import { foreignDatabase } from '../../postgres/target/foreignDatabase.ts';
import type { Target } from '../../postgres/target/target.ts';
import { withClient } from '../../postgres/withClient.ts';
import { command, onAnyTarget } from '../cli/command.ts';
import { reportProblems } from '../cli/output.ts';
import { compareSchema } from '../drift/compareSchema.ts';
import { currentEncodingProblems } from '../migrations/demandSound.ts';
import { forgottenFixtures } from '../migrations/fixtures.ts';
import { lockHolder } from '../migrations/migrationLock.ts';
import { type MigrationState, migrationState } from '../migrations/migrationState.ts';
import { readSnapshot, takeSnapshot } from './snapshot.ts';

export const statusCommand = command(
  'status',
  'compare the database with the migrations, the fixtures and the snapshot',
)
  .option('--json', 'print JSON')
  .action(onAnyTarget<{ json?: boolean }>((target, { json = false }) => status(target, json)));

/** Compares the target's record of migrations with the files, and its schema with the snapshot. */
async function status(target: Target, json: boolean): Promise<ExitCode> {
  return withClient(target.ownerUrl, async (client) => {
    const { migrations, ...committed } = await readCommitted();
    const unreadable = [...committed.unreadable, ...(await currentEncodingProblems())];
    const state = await migrationState(client, migrations);
    const fixtures = await forgottenFixtures(migrations);
    const foreign = await foreignDatabase(client, migrations);
    const migrating = await lockHolder(client);
    // The schema matches the snapshot only once all migrations are applied.
    const schema = state.problems.length === 0 ? await drift(client) : [];
    const problems = [...(foreign ? [foreign] : []), ...unreadable, ...state.problems, ...fixtures, ...schema];
    if (json) {
      const applied = migrations.length - state.pending.length;
      const answer = { database: target.name, committed: migrations.length, applied, migrations: state.migrations };
      console.log(JSON.stringify({ ...answer, migrating: migrating ?? null, drift: schema, fixtures, problems }));
    } else {
      report(target.name, state);
      if (migrating) console.log(`${styleText('yellow', '…')} migrations are being applied by ${migrating}`);
      reportProblems(problems);
      if (problems.length === 0) console.log(`${styleText('green', '✓')} the database matches the files`);
    }
    return problems.length === 0 ? 0 : 1;
  });
}

function report(name: string, { migrations, pending }: MigrationState): void {
  console.log(`${name}: ${migrations.length - pending.length} of ${migrations.length} committed migrations applied`);
  for (const { filename, state, appliedAt } of migrations) {
    const when = appliedAt ? appliedAt.toISOString().slice(0, 16).replace('T', ' ') : '';
    console.log(`  ${state.padEnd(12)} ${when.padEnd(16)} ${filename}`);
  }
}

async function drift(client: pg.Client): Promise<string[]> {
  const schema = await inTransaction(client, () => takeSnapshot(client));
  return [...(await compareSchema(client, await readSnapshot(), schema)), ...(await foreignMembers(client))];
}

/**
 * Finds foreign roles that can connect and are members of one of Hedgerow's roles. Skips admins, which may become any
 * role, and roles with BYPASSRLS, which `lint` reports.
 */
async function foreignMembers(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ member: string; roles: string }>(
    `select r.rolname as member, string_agg(distinct g.rolname, ', ') as roles
     from pg_auth_members m join pg_roles r on r.oid = m.member join pg_roles g on g.oid = m.roleid
     where g.rolname in ('hedgerow_owner', 'hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth')
       and r.rolname not in ('hedgerow_owner', 'hedgerow_authenticator', 'hedgerow_tenant', 'hedgerow_auth')
       and not (r.rolsuper or r.rolcreaterole or r.rolbypassrls) and has_database_privilege(r.oid, current_database(), 'connect')
     group by 1 order by 1`,
  );
  return rows.map(({ member, roles }) => `role ${member} is a member of ${roles}: revoke ${roles} from ${member}`);
}

/** Runs `work` in a transaction, so that its settings do not leak to other clients of a pooler. */
async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin isolation level repeatable read read only');
  try {
    return await work();
  } finally {
    await client.query('rollback');
  }
}
