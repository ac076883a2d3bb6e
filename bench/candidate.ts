import type { Exchange, List, Todo } from './apis/api.ts';
import { cpuTimes } from './cpu.ts';
import type { BenchCluster, BenchDatabase } from './database.ts';
import { type Load, percentile } from './load.ts';
import type { Peer } from './peers.ts';
import { requestText, send, subjects } from './requests.ts';
import { type ServerProcess, spawnServer, waitUntilListening } from './serverProcess.ts';
import type { Tenant, TokenOf } from './tenants.ts';
import { verify, type WorkloadName, workloads } from './workloads.ts';

/** The measurements of one candidate's turn. Times are in milliseconds. */
export interface Sample {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU per request. */
  readonly node: number;
  readonly postgres: number;
}

/** Something that is measured in turns with others. */
export interface Candidate {
  readonly name: string;
  readonly title: string;
  /** Todos in the database that it works on. */
  readonly rows: number;
  /** Shows that its answers are right, and warms it up. @throws why it cannot be measured. */
  prepare(workload: WorkloadName): Promise<void>;
  /** @throws the first error that an answer told. */
  turn(workload: WorkloadName): Promise<Sample>;
  stop(): Promise<void>;
}

/** The parts that all candidates share during a measurement. */
export interface BenchContext {
  readonly cluster: BenchCluster;
  readonly load: Load;
  readonly jwtSecret: string;
  readonly tokenOf: TokenOf;
  readonly connections: number;
  readonly seconds: number;
}

/**
 * Seconds under load ahead of a server's first workload, and of each later one. V8 goes on optimizing for about ten:
 * without this a server is slower the more code it has.
 */
const warmUp = { first: 12, later: 5 };

/** Starts a server on `database`. */
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

/** The right rows for two tenants; and for neither of them a row of the other. */
async function check(
  { api }: Peer,
  server: ServerProcess,
  { admin }: BenchDatabase,
  [first, second = first]: ReturnType<typeof subjects>,
  tokenOf: TokenOf,
  workload: WorkloadName,
): Promise<void> {
  if (!first || !second) throw new Error('there is no tenant');
  const exchange: Exchange<Todo[] | List[]> = api[workload];
  for (const subject of [first, second]) {
    await verify(workloads[workload], admin, subject, await send(server, exchange, subject, tokenOf));
  }
  if (first.tenant === second.tenant) return;
  const foreign = await send(server, api.byId, { ...first, todoId: second.todoId }, tokenOf);
  if (foreign.length > 0) throw new Error("it shows a tenant another tenant's todo");
}
