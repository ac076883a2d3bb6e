import { chown, cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { migrate } from 'graphile-migrate';
import type pg from 'pg';
import { postgresUser } from '../../postgres/embedded/binaries.ts';
import { type Cluster, openCluster } from '../../postgres/embedded/cluster.ts';
import { migrateSettings } from '../../postgres/migrate/migrateSettings.ts';
import { provision } from '../../postgres/target/provision.ts';
import { withClient } from '../../postgres/withClient.ts';
import { baseBackup, initialize, runPostgres } from './systemPostgres.ts';

/** A primary with Hedgerow's schema, and a standby that streams from it. */
export interface Replication {
  readonly primaryUrl: string;
  readonly replicaUrl: string;
  onPrimary(text: string, values?: unknown[]): Promise<pg.QueryResult>;
  onReplica(text: string, values?: unknown[]): Promise<pg.QueryResult>;
  /** Makes commits wait for the standby. */
  synchronous(): Promise<void>;
  /** Stops the WAL receiver (SIGSTOP), so that a synchronous commit waits. */
  stopReceiving(): Promise<void>;
  /** Resumes the WAL receiver. */
  goOnReceiving(): void;
  /** Stops all processes of the standby (SIGSTOP). The kernel still accepts connections, but nothing answers. */
  freezeReplica(): Promise<void>;
  /** Resumes the processes of the standby. */
  thawReplica(): void;
  /** Kills the primary before it can send its remaining WAL, and promotes the standby. */
  failOver(): Promise<void>;
  /** Pauses the replay. Received changes stay invisible until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Waits until the standby has replayed all commits so far. */
  caughtUp(): Promise<void>;
  stopReplica(): Promise<void>;
  startReplica(): Promise<void>;
  remove(): Promise<void>;
}

const passwords = { owner: 'owner', authenticator: 'authenticator' };

/** A way to create a primary and its replica. */
interface ClusterSource {
  openPrimary(): Promise<Cluster>;
  /** Creates the replica of the running primary. A later call reopens it with its data and port. */
  openReplica(primary: Cluster): Promise<Cluster>;
}

/** Uses the embedded Postgres. It has no pg_basebackup, so the standby starts as a copy of a stopped primary. */
function embedded(directory: string): ClusterSource {
  const at = (name: string) => ({ directory: join(directory, name), settings: { fsync: 'off', wal_level: 'replica' } });
  return {
    openPrimary: async () => {
      await (await openCluster(at('primary'))).close();
      const user = postgresUser();
      await cp(join(directory, 'primary'), join(directory, 'replica'), { recursive: true, preserveTimestamps: true });
      if (user) await chownAll(join(directory, 'replica', 'data'), user);
      await writeFile(join(directory, 'replica', 'data', 'standby.signal'), '');
      return openCluster(at('primary'));
    },
    openReplica: (primary) => {
      const { directory, settings } = at('replica');
      const primary_conninfo = conninfo(primary.adminUrl());
      return openCluster({ directory, settings: { ...settings, primary_conninfo } });
    },
  };
}

/** Uses the system's Postgres in `bin`, and pg_basebackup as a DBA does. */
function system(directory: string, bin: string): ClusterSource {
  const data = join(directory, 'replica');
  let port: number | undefined;
  return {
    openPrimary: async () => runPostgres(bin, await initialize(bin, directory)),
    openReplica: async (primary) => {
      if (port === undefined) baseBackup(bin, primary, data);
      const replica = await runPostgres(bin, data, port);
      port = replica.port;
      return replica;
    },
  };
}

/**
 * Starts a primary and a replica.
 *
 * @param bin folder from `systemBin` for the system's Postgres; by default the embedded one.
 */
export async function startReplication(bin?: string): Promise<Replication> {
  const directory = await mkdtemp(join(tmpdir(), 'hedgerow-replication-'));
  const { openPrimary, openReplica } = bin ? system(directory, bin) : embedded(directory);
  const primary = await openPrimary();
  await provision({ adminUrl: primary.adminUrl(), databases: ['hedgerow'], passwords });
  const ownerUrl = `postgres://hedgerow_owner:owner@127.0.0.1:${primary.port}/hedgerow`;
  await migrate(await migrateSettings({ ownerUrl, shadowUrl: undefined, adminUrl: primary.adminUrl() }, () => {}));
  let replica = await openReplica(primary);

  const ask = (url: string, text: string, values: unknown[] = []) =>
    withClient(url, (client) => client.query(text, values));
  const onReplica = (text: string, values?: unknown[]) => ask(replica.adminUrl('hedgerow'), text, values);
  const until = async (text: string, values?: unknown[]) => {
    const deadline = performance.now() + 20_000;
    while (!(await onReplica(text, values).catch(() => undefined))?.rows[0]?.done) {
      if (performance.now() > deadline) throw new Error(`The replica did not reach this state within 20 s: ${text}`);
      await sleep(20);
    }
  };
  const stoppedPids: number[] = [];
  const stop = (pids: readonly number[]) => {
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    stoppedPids.push(...pids);
  };
  const resumeProcesses = () => {
    for (const pid of stoppedPids.splice(0)) process.kill(pid, 'SIGCONT');
  };
  const postmaster = `split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int`;
  const serverUrl = (port: number) => `postgres://hedgerow_authenticator:authenticator@127.0.0.1:${port}/hedgerow`;
  return {
    primaryUrl: serverUrl(primary.port),
    replicaUrl: serverUrl(replica.port),
    onPrimary: (text, values) => ask(primary.adminUrl('hedgerow'), text, values),
    onReplica,
    synchronous: async () => {
      await ask(primary.adminUrl(), `alter system set synchronous_standby_names = '*'`);
      await ask(primary.adminUrl(), 'select pg_reload_conf()');
      const text = `select from pg_stat_replication where sync_state = 'sync'`;
      while ((await ask(primary.adminUrl(), text)).rowCount === 0) await sleep(20);
    },
    stopReceiving: async () => {
      const { rows } = await onReplica('select pid from pg_stat_wal_receiver');
      stop(rows.map(({ pid }) => pid));
    },
    goOnReceiving: resumeProcesses,
    freezeReplica: async () => {
      const { rows } = await onReplica(
        `select pid from pg_stat_activity where pid <> pg_backend_pid() union select ${postmaster}`,
      );
      stop(rows.map(({ pid }) => pid));
    },
    thawReplica: resumeProcesses,
    failOver: async () => {
      const { rows } = await ask(primary.adminUrl(), `select ${postmaster} as pid`);
      process.kill(rows[0].pid, 'SIGKILL');
      await onReplica('select pg_promote()');
    },
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
      replica = await openReplica(primary);
    },
    remove: async () => {
      resumeProcesses();
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
