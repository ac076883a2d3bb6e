import { randomBytes } from 'node:crypto';
import { watch as applyCurrent } from 'graphile-migrate';
import { UsageError } from '../common/usageError.ts';
import { closeMigrateConnections } from '../postgres/internals/migrateConnections.ts';
import { migrateSettings } from '../postgres/migrate/migrateSettings.ts';
import { databaseOf, inDatabase, isScratch, withScratch } from '../postgres/target/scratch.ts';
import { describeUrl, openTarget } from '../postgres/target/target.ts';
import { withClient } from '../postgres/withClient.ts';

/** A database that the prover may write to. */
export interface TargetDatabase {
  /** A name for display; never contains a password. */
  readonly name: string;
  /** Connects as a role that bypasses row-level security. */
  readonly adminUrl: string;
  /** Connects as hedgerow_owner; undefined if the database is no Hedgerow database. */
  readonly ownerUrl?: string;
  /** Connects as hedgerow_authenticator, like the server; undefined if the database is no Hedgerow database. */
  readonly serverUrl?: string;
  /** Passes `use` a copy of the database and drops the copy afterwards. No one may be connected to the original. */
  copy<Result>(use: (copy: Omit<TargetDatabase, 'copy'>) => Promise<Result>): Promise<Result>;
}

/** Applies the committed migrations and current.sql to a scratch database, runs `use` on it, and drops it. */
export async function onMigrations<Result>(use: (target: TargetDatabase) => Promise<Result>): Promise<Result> {
  const target = await openTarget(process.env);
  try {
    const serverUrl = 'serverUrl' in target ? (target.serverUrl as string) : process.env.DATABASE_URL;
    return await withScratch(target, async (scratch) => {
      const messages: string[] = [];
      try {
        await applyCurrent(await migrateSettings(scratch, (line) => messages.push(line)), true);
      } catch (error) {
        throw new UsageError(
          `Applying the migrations to ${scratch.name} failed: ${(error as Error).message}\n${messages.slice(-10).join('\n')}`,
        );
      }
      await closeMigrateConnections();
      return use({
        name: `the migrations and current.sql, in a scratch database on ${new URL(scratch.ownerUrl).host}`,
        adminUrl: scratch.adminUrl as string,
        ownerUrl: scratch.ownerUrl,
        ...(serverUrl && { serverUrl: inDatabase(serverUrl, databaseOf(scratch.ownerUrl)) }),
        copy: (useCopy) =>
          withScratch(
            target,
            ({ name, adminUrl }) => useCopy({ name, adminUrl: adminUrl as string }),
            databaseOf(scratch.ownerUrl),
          ),
      });
    });
  } finally {
    await target.close();
  }
}

/**
 * Runs `use` on an existing database.
 *
 * @param clone works on a copy and drops it afterwards; otherwise the database must be marked as scratch.
 * @throws UsageError if the role lacks BYPASSRLS, the database is not marked as scratch, or it cannot be copied.
 */
export async function onDatabase<Result>(
  url: string,
  clone: boolean,
  use: (target: TargetDatabase) => Promise<Result>,
): Promise<Result> {
  const name = describeUrl(url);
  await withClient(url, async (client) => {
    const { rows } = await client.query(
      'select rolsuper or rolbypassrls as free from pg_roles where rolname = current_user',
    );
    if (!rows[0]?.free) {
      throw new UsageError(
        `The role of ${name} is bound by row-level security and cannot write rows of both tenants. Connect as a superuser or as a role with BYPASSRLS.`,
      );
    }
    if (!clone && !(await isScratch(client))) {
      throw new UsageError(
        `${name} is not marked as scratch, and the prover writes rows. Pass --clone to work on a copy, which takes a superuser, or CREATEDB and ownership of the database. Or mark it: ${markCommand('…')}.`,
      );
    }
  });
  return clone
    ? onCopy(url, (copy) => use({ ...copy, copy: (useCopy) => onCopy(copy.adminUrl, useCopy) }))
    : use({ name, adminUrl: url, copy: (useCopy) => onCopy(url, useCopy) });
}

const markCommand = (database: string) => `comment on database ${database} is 'hedgerow scratch'`;

async function onCopy<Result>(
  url: string,
  use: (copy: Omit<TargetDatabase, 'copy'>) => Promise<Result>,
): Promise<Result> {
  const original = databaseOf(url);
  const copy = `isolation_copy_${process.pid}_${randomBytes(4).toString('hex')}`;
  // Postgres cannot copy a database while anyone is connected to it, including this process.
  const elsewhere = inDatabase(url, original === 'postgres' ? 'template1' : 'postgres');
  const drop = () =>
    withClient(elsewhere, (client) =>
      client.query(`drop database if exists ${client.escapeIdentifier(copy)} with (force)`),
    );
  await withClient(elsewhere, async (client) => {
    try {
      await client.query(
        `create database ${client.escapeIdentifier(copy)} template ${client.escapeIdentifier(original)}`,
      );
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === '55006')
        throw new UsageError(
          `${describeUrl(url)} cannot be copied while others are connected to it. Close their connections. Or copy it with pg_dump, mark the copy (${markCommand('the copy')}), and run the prover on the copy without --clone.`,
        );
      if (code === '42501')
        throw new UsageError(
          `${describeUrl(url)} cannot be copied: ${message}. --clone runs create database … template. Connect as a superuser, or as a role that has CREATEDB and owns the database. Or copy it with pg_dump to another server, mark the copy (${markCommand('the copy')}), and run the prover on the copy without --clone.`,
        );
      throw error;
    }
  });
  const stop = () => void drop().finally(() => process.exit(2));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  try {
    return await use({ name: `a copy of ${describeUrl(url)}`, adminUrl: inDatabase(url, copy) });
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
    await drop();
  }
}
