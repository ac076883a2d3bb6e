import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchContext } from '../candidate.ts';
import type { BenchCluster, BenchDatabase } from '../database.ts';
import { tidy } from '../fill.ts';
import { percentile } from '../load.ts';
import type { Peer } from '../peers.ts';
import type { Report } from '../progress.ts';
import { requestText, subjects } from '../requests.ts';
import { measuredTenants, type Tenant, tenantsOf } from '../tenants.ts';
import { type AttackName, attacks } from './attacks.ts';
import { type Client, startClient } from './client.ts';
import { floodingTenants, noisyContents } from './contents.ts';
import { NoisyServer } from './noisyServer.ts';

/** The bystander's list in one turn. Times in milliseconds. */
interface BystanderTimes {
  readonly p50: number;
  readonly p99: number;
  readonly answers: number;
  /** Answers other than `ok`, by kind. */
  readonly errors: Readonly<Record<string, number>>;
}

export interface NoisySample {
  readonly alone: BystanderTimes;
  readonly beside: BystanderTimes;
  readonly flood: {
    readonly answers: Readonly<Record<string, number>>;
    readonly samples: Readonly<Record<string, string>>;
    readonly bytes: number;
    readonly size: number;
  };
  /** The server's resident memory, in bytes. */
  readonly peakMemory: number;
  /** Whether the server ended during the attack. */
  readonly ended: boolean;
}

/** Samples of one candidate under one attack, one for each round, or the error that prevented them. */
export interface NoisySeries {
  readonly attack: AttackName;
  readonly candidate: string;
  readonly title: string;
  readonly samples: readonly NoisySample[];
  readonly error?: string;
}

/** Connections of the flood. */
const floodConnections = 100;

/** Seconds of the bystander's load before a server's first turn, and of the flood before the bystander is measured. */
const warmUp = 8;
const rampUp = 1;
/** Limits of the search for the largest request that the server accepts. */
const calibration = { seconds: 5, attempts: 4 };
/** Seconds that a server gets to recover from an attack. */
const recovery = 5;

/**
 * Measures a bystander's list alone and during each attack. One server runs at a time, because an unprotected server
 * works on the requests of a flood for minutes.
 */
export async function measureNoisy(
  peers: readonly Peer[],
  names: readonly AttackName[],
  cluster: BenchCluster,
  context: BenchContext,
  rows: number,
  rounds: number,
  report: Report,
  cleanUp: (() => unknown)[],
): Promise<NoisySeries[]> {
  const database = await cluster.database(rows, report, noisyContents);
  const [tenant] = await measuredTenants(database);
  const [many, large] = await tenantsOf(database, [floodingTenants.many, floodingTenants.large]);
  if (!tenant || !many || !large) throw new Error('The database has no tenants.');
  const bystander = startClient();
  const flood = startClient();
  cleanUp.push(
    () => bystander.stop(),
    () => flood.stop(),
  );
  const turn = new Turn({ bystander, flood, context, tenant, flooding: { many, large } });
  const servers = peers.map((peer) => new NoisyServer(peer, context, database));
  const found = names.flatMap((attack) =>
    servers
      .filter(({ peer }) => peer.attackApi && attacks[attack].calls[peer.attackApi])
      .map((server) => ({ attack, server, samples: [] as NoisySample[], error: '' })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      for (const series of found.filter((one) => one.server === server && !one.error)) {
        report(`noisy, ${series.attack}, round ${round + 1} of ${rounds}: ${server.peer.title}`);
        try {
          series.samples.push(await turn.take(server, series.attack));
        } catch (error) {
          series.error = (error as Error).message;
        }
      }
      await server.stop();
      await removeWritten(database, [many.userId, large.userId]);
    }
  }
  return found.map(({ attack, server, samples, error }) => {
    const { name, title } = server.peer;
    return { attack, candidate: name, title, samples, ...(error && { error }) };
  });
}

async function removeWritten({ admin }: BenchDatabase, userIds: readonly string[]): Promise<void> {
  await admin.query('delete from app_public.idempotency_keys where user_id = any($1)', [userIds]);
  await tidy(admin, userIds);
}

interface TurnOptions {
  readonly bystander: Client;
  readonly flood: Client;
  readonly context: BenchContext;
  readonly tenant: Tenant;
  readonly flooding: { readonly many: Tenant; readonly large: Tenant };
}

/** Takes the turns of the servers: the bystander alone, then during the flood. */
class Turn {
  readonly #options: TurnOptions;
  readonly #sizes = new Map<string, number>();
  /** The bystander's p50 after the server's start, in milliseconds. */
  #usualP50 = 0;

  constructor(options: TurnOptions) {
    this.#options = options;
  }

  async take(server: NoisyServer, attack: AttackName): Promise<NoisySample> {
    const { flood, context } = this.#options;
    await this.#warm(server);
    const size = await this.#allowedSize(server, attack);
    await this.#recovered(server);
    const alone = await this.#list(server, context.seconds);
    server.takePeak();
    this.#flood(server, attack, size, floodConnections);
    await sleep(rampUp * 1000);
    const beside = await this.#list(server, context.seconds);
    const { answers, samples, bytes, size: lastSize } = await flood.finish();
    return {
      alone,
      beside,
      flood: { answers, samples, bytes, size: lastSize },
      peakMemory: server.takePeak(),
      ended: !server.isRunning,
    };
  }

  #flood(server: NoisyServer, attack: AttackName, size: number, connections: number): void {
    const { flood, context, flooding } = this.#options;
    const token = context.tokenOf(flooding[attacks[attack].tenant]);
    const api = server.peer.attackApi as NonNullable<Peer['attackApi']>;
    flood.start({ port: server.port, connections, source: { attack, api, tokens: [token], size } });
  }

  /** Finds the largest size that the server accepts, with one connection, before its first measurement. */
  async #allowedSize(server: NoisyServer, attack: AttackName): Promise<number> {
    const { size: largest, fixed } = attacks[attack];
    if (largest === 1 || fixed) return largest;
    const key = `${server.peer.name} ${attack}`;
    const known = this.#sizes.get(key);
    if (known !== undefined) return known;
    let size = largest;
    for (let attempt = 0, isAccepted = false; attempt < calibration.attempts && !isAccepted; attempt++) {
      this.#flood(server, attack, size, 1);
      await sleep(calibration.seconds * 1000);
      const result = await this.#options.flood.finish();
      size = result.size;
      isAccepted = (result.answers.ok ?? 0) > 0;
    }
    this.#sizes.set(key, size);
    return size;
  }

  /** Measures the bystander's list for `seconds`, one request after the other. */
  async #list(server: NoisyServer, seconds: number): Promise<BystanderTimes> {
    const { bystander, context, tenant } = this.#options;
    const [subject] = subjects([tenant]);
    if (!subject) throw new Error('The database has no tenants.');
    const request = requestText(server.peer.api.list.call(subject), context.tokenOf(tenant));
    bystander.start({ port: server.port, connections: 1, source: { request } });
    await sleep(seconds * 1000);
    const { latencies, answers } = await bystander.finish();
    const { ok = 0, ...errors } = answers;
    return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), answers: ok, errors };
  }

  /**
   * Waits until the server has finished the work of an earlier attack. Restarts a server that does not finish in time.
   */
  async #recovered(server: NoisyServer): Promise<void> {
    const deadline = performance.now() + recovery * 1000;
    while (performance.now() < deadline) {
      const { p50, answers } = await this.#list(server, 0.5);
      if (answers > 10 && p50 < 2 * this.#usualP50) return;
    }
    await server.stop();
    await this.#warm(server);
  }

  async #warm(server: NoisyServer): Promise<void> {
    if (!(await server.ensure())) return;
    await this.#list(server, warmUp);
    this.#usualP50 = (await this.#list(server, 1)).p50;
  }
}
