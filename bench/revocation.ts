import pg from 'pg';
import { Batch } from '../postgres/batch.ts';
import type { Statement } from '../postgres/statement.ts';
import { Identity } from '../server/tenancy/identity.ts';
import type { BenchContext } from './candidate.ts';
import { cpuTimes } from './cpu.ts';
import type { Dataset } from './measure.ts';
import type { Report } from './progress.ts';
import { type Spread, spread } from './statistics.ts';
import type { Tenant } from './tenants.ts';

/** Microseconds for each transaction. */
interface Cost {
  readonly elapsed: Spread;
  readonly postgres: Spread;
}

/** Cost of checking in every transaction that the session and its user are active. */
export interface RevocationCost {
  /** With the session check. */
  readonly asked: Cost;
  /** With an identity statement that trusts the token. */
  readonly notAsked: Cost;
  /** The difference, round by round. */
  readonly cost: Cost;
}

const list: Statement = {
  name: 'bench_list',
  text: 'select id, title, completed, priority, created_at from app_public.todos order by created_at desc, id limit 20',
};

const unverifiedIdentity = (userId: string): Statement => ({
  name: 'bench_identity',
  text: "select set_config('role', 'hedgerow_tenant', true), set_config('app.current_user_id', $1, true)",
  values: [userId],
});

const forms = {
  asked: ({ userId, sessionId }: Tenant) => Identity.tenant(userId, sessionId).statement,
  notAsked: ({ userId }: Tenant) => unverifiedIdentity(userId),
};

const connections = 4;

/**
 * Measures the server's own transaction of the list, with its identity statement and with one that trusts the token.
 */
export async function measureRevocation(
  { cluster, seconds }: BenchContext,
  rounds: number,
  { database, tenants }: Dataset,
  report: Report,
): Promise<RevocationCost> {
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: database.serverUrl }));
  await Promise.all(clients.map((client) => client.connect()));

  const turn = async (identity: (tenant: Tenant) => Statement) => {
    const end = performance.now() + seconds * 1000;
    let count = 0;
    const work = async (client: pg.Client) => {
      while (performance.now() < end) {
        const batch = new Batch([identity(tenants[count++ % tenants.length] as Tenant), list], true);
        client.query(batch as never);
        await batch.done;
      }
    };
    const start = performance.now();
    const before = cpuTimes(undefined, cluster.postmaster);
    await Promise.all(clients.map(work));
    const postgres = cpuTimes(undefined, cluster.postmaster).postgres - before.postgres;
    return { elapsed: ((performance.now() - start) * 1000) / count, postgres: (postgres * 1000) / count };
  };

  const found = { asked: [], notAsked: [] } as Record<keyof typeof forms, Awaited<ReturnType<typeof turn>>[]>;
  try {
    for (let round = -1; round < rounds; round++) {
      report(`revocation, ${round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`}`);
      for (const name of round % 2 ? (['notAsked', 'asked'] as const) : (['asked', 'notAsked'] as const)) {
        const times = await turn(forms[name]);
        if (round >= 0) found[name].push(times);
      }
    }
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  const cost = (of: (round: number, time: 'elapsed' | 'postgres') => number): Cost => {
    const over = (time: 'elapsed' | 'postgres') => spread(found.asked.map((_, round) => of(round, time)));
    return { elapsed: over('elapsed'), postgres: over('postgres') };
  };
  const at = (name: keyof typeof forms) => (round: number, time: 'elapsed' | 'postgres') =>
    found[name][round]?.[time] ?? Number.NaN;
  return {
    asked: cost(at('asked')),
    notAsked: cost(at('notAsked')),
    cost: cost((round, time) => at('asked')(round, time) - at('notAsked')(round, time)),
  };
}
