import { chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from 'graphile-migrate';
import type pg from 'pg';
import { withClient } from '../../dba/client.ts';
import { migrateSettings } from '../../dba/migrateSettings.ts';
import { provision } from '../../dba/provision.ts';
import { postgresUser } from '../../server/database/embedded/binaries.ts';
import { type Cluster, openCluster } from '../../server/database/embedded/cluster.ts';

/** A primary with Hedgerow's schema, and a standby that streams from it. */
export interface Replication {
  readonly primaryUrl: string;
  readonly replicaUrl: string;
  onPrimary(text: string, values?: unknown[]): Promise<pg.QueryResult>;
  /** Stops replaying; what the standby receives stays invisible until it resumes. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Waits until the standby shows all that is committed now. */
  caughtUp(): Promise<void>;
  stopReplica(): Promise<void>;
  startReplica(): Promise<void>;
  remove(): Promise<void>;
}

const passwords = { owner: 'owner', authenticator: 'authenticator' };

export async function startReplication(): Promise<Replication> {
  const user = postgresUser();
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-replication-'));
  const at = (name: string) => ({ directory: join(directory, name), settings: { fsync: 'off', wal_level: 'replica' } });
  // A copy of a primary that is at rest needs no pg_basebackup, which the embedded Postgres does not have.
  await (await openCluster(at('primary'))).close();
  await cp(join(directory, 'primary'), join(directory, 'replica'), { recursive: true, preserveTimestamps: true });
  if (user) await chownAll(join(directory, 'replica', 'data'), user);
  const primary = await openCluster(at('primary'));
  await provision({ adminUrl: primary.adminUrl(), databases: ['hedgerow'], passwords });
  const ownerUrl = `postgres://hedgerow_owner:owner@127.0.0.1:${primary.port}/hedgerow`;
  await migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: primary.adminUrl() }, () => {}));
  await writeFile(join(directory, 'replica', 'data', 'standby.signal'), '');
  const openReplica = () =>
    openCluster({
      ...at('replica'),
      settings: { ...at('replica').settings, primary_conninfo: conninfo(primary.adminUrl()) },
    });
  let replica: Cluster = await openReplica();

  const ask = (url: string, text: string, values: unknown[] = []) =>
    withClient(url, (client) => client.query(text, values));
  const onReplica = (text: string, values?: unknown[]) => ask(replica.adminUrl('hedgerow'), text, values);
  const until = async (text: string, values?: unknown[]) => {
    while (!(await onReplica(text, values).catch(() => undefined))?.rows[0]?.done) await sleep(20);
  };
  const serverUrl = (port: number) => `postgres://hedgerow_authenticator:authenticator@127.0.0.1:${port}/hedgerow`;
  return {
    primaryUrl: serverUrl(primary.port),
    replicaUrl: serverUrl(replica.port),
    onPrimary: (text, values) => ask(primary.adminUrl('hedgerow'), text, values),
    pause: async () => {
      await onReplica('select pg_wal_replay_pause()');
      await until("select pg_get_wal_replay_pause_state() = 'paused' as done");
    },
    resume: async () => {
      await onReplica('select pg_wal_replay_resume()');
    },
    caughtUp: async () => {
      const { rows } = await ask(primary.adminUrl(), 'select pg_current_wal_lsn()::text as lsn');
      await until('select pg_last_wal_replay_lsn() >= $1::pg_lsn as done', [rows[0].lsn]);
    },
    stopReplica: () => replica.close(),
    startReplica: async () => {
      replica = await openReplica();
    },
    remove: async () => {
      await replica.close();
      await primary.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function conninfo(url: string): string {
  const { hostname, port, username, password } = new URL(url);
  return `host=${hostname} port=${port} user=${username} password=${password}`;
}

async function chownAll(directory: string, { uid, gid }: { uid: number; gid: number }): Promise<void> {
  const inside = await readdir(directory, { recursive: true });
  for (const path of ['.', ...inside]) await chown(join(directory, path), uid, gid);
}
