import type { Exchange, List, Todo } from './apis/api.ts';
import { cpuTimes } from './cpu.ts';
import type { BenchCluster, BenchDatabase } from './database.ts';
import { type Load, percentile } from './load.ts';
import type { Peer } from './peers.ts';
import { requestText, send, subjects } from './requests.ts';
import { type ServerProcess, spawnServer, waitUntilListening } from './serverProcess.ts';
import type { Tenant, TokenOf } from './tenants.ts';
import { verify, type WorkloadName, workloads } from './workloads.ts';

/** Measurements of one turn of a candidate. Times are in milliseconds. */
export interface Sample {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU per request. */
  readonly node: number;
  readonly postgres: number;
}

/** A server, or pgbench, that is measured in turns with others. */
export interface Candidate {
  readonly name: string;
  readonly title: string;
  /** Todos in its database. */
  readonly rows: number;
  /** Verifies its answers and warms it up. @throws if an answer is wrong or the candidate cannot be measured. */
  prepare(workload: WorkloadName): Promise<void>;
  /** Measures one turn. @throws the first error in an answer. */
  turn(workload: WorkloadName): Promise<Sample>;
  stop(): Promise<void>;
}

/** State that all candidates share during a run. */
export interface BenchContext {
  readonly cluster: BenchCluster;
  readonly load: Load;
  readonly jwtSecret: string;
  readonly tokenOf: TokenOf;
  readonly connections: number;
  readonly seconds: number;
}

/**
 * Seconds of load before a server's first workload and before each later one. V8 optimizes for about ten seconds.
 * Without the warm-up, servers with more code would seem slower.
 */
const warmUp = { first: 12, later: 5 };

/** Starts the server of `peer` on `database`. */
export async function startPeer(
  peer: Peer,
  context: BenchContext,
  database: BenchDatabase,
  tenants: readonly Tenant[],
): Promise<Candidate> {
  const { cluster, load, tokenOf, connections } = context;
  const server = await spawnServer(peer.file, {
    DATABASE_URL: database.serverUrl,
    JWT_SECRET: context.jwtSecret,
    ...peer.env,
  });
  await waitUntilListening(server);
  let cursors: ReadonlyMap<Tenant, string> = new Map();
  let warm = false;

  const turn = async (workload: WorkloadName, seconds: number): Promise<Sample> => {
    const { call } = peer.api[workload];
    const requests = subjects(tenants, cursors).map((subject) => requestText(call(subject), tokenOf(subject.tenant)));
    const before = cpuTimes(server.pid, cluster.postmaster);
    const result = await load.run({ port: server.port, requests, connections, seconds });
    const after = cpuTimes(server.pid, cluster.postmaster);
    if (result.error) throw new Error(result.error);
    const count = result.latencies.length;
    return {
      perSecond: count / result.seconds,
      p50: percentile(result.latencies, 0.5),
      p99: percentile(result.latencies, 0.99),
      node: (after.node - before.node) / count,
      postgres: (after.postgres - before.postgres) / count,
    };
  };

  return {
    name: peer.name,
    title: peer.title,
    rows: database.rows,
    async prepare(workload) {
      if (workload === 'deepCursor') cursors = await readCursors(peer, server, tenants, tokenOf);
      await check(peer, server, database, subjects(tenants, cursors), tokenOf, workload);
      await turn(workload, warm ? warmUp.later : warmUp.first);
      warm = true;
    },
    turn: (workload) => turn(workload, context.seconds),
    stop: () => server.stop(),
  };
}

async function readCursors(peer: Peer, server: ServerProcess, tenants: readonly Tenant[], tokenOf: TokenOf) {
  const cursors = new Map<Tenant, string>();
  for (const subject of subjects(tenants).slice(0, tenants.length)) {
    cursors.set(subject.tenant, await send(server, peer.api.cursor, subject, tokenOf));
  }
  return cursors;
}

/** Verifies the rows of two tenants, and that neither can read a row of the other. */
async function check(
  { api }: Peer,
  server: ServerProcess,
  { admin }: BenchDatabase,
  [first, second = first]: ReturnType<typeof subjects>,
  tokenOf: TokenOf,
  workload: WorkloadName,
): Promise<void> {
  if (!first || !second) throw new Error('The database has no tenants.');
  const exchange: Exchange<Todo[] | List[]> = api[workload];
  for (const subject of [first, second]) {
    await verify(workloads[workload], admin, subject, await send(server, exchange, subject, tokenOf));
  }
  if (first.tenant === second.tenant) return;
  const foreign = await send(server, api.byId, { ...first, todoId: second.todoId }, tokenOf);
  if (foreign.length > 0) throw new Error('it shows a tenant the todo of another tenant');
}
