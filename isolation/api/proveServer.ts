import { UsageError } from '../../common/usageError.ts';
import type { Proof } from '../proof.ts';
import { withoutControls } from '../unproven.ts';
import { attackApi } from './attackApi.ts';
import { Client } from './client.ts';
import { demandRows, withRemoteWorld } from './remote.ts';

export interface ProveServerOptions {
  /** Where a Hedgerow listens; without a path. */
  readonly server: string;
  /** Accounts that are there already. Their passwords are in ISOLATION_PASSWORD_A and ISOLATION_PASSWORD_B. */
  readonly asA?: string | undefined;
  readonly asB?: string | undefined;
  readonly graphqlSchema?: string | undefined;
  readonly seed: number;
  readonly table?: readonly string[] | undefined;
}

/** Attacks a running server over HTTP, and knows nothing of it but what it answers. */
export async function proveServer(options: ProveServerOptions, progress: (line: string) => void): Promise<Proof> {
  const { server, graphqlSchema, seed, table } = options;
  const startedAt = new Date();
  const client = new Client(server, progress);
  const wanted = table?.map((name) => name.toLowerCase().replaceAll(/_|s$/g, ''));
  const only = wanted && ((type: string) => wanted.includes(type.toLowerCase()));
  try {
    const { attempts, controls, unproven, failures } = await withRemoteWorld(
      client,
      { schemaFile: graphqlSchema, given: givenIn(options, process.env), progress },
      async (world, revokedActors, sessionOfA, secrets) => {
        demandRows(world);
        return attackApi(world, { revokedActors, accounts: { sessionOfA, secrets }, only, progress });
      },
    );
    return {
      ...{ database: client.url, seed, startedAt, attempts, controls, owners: {}, notJudged: [], mutants: undefined },
      repeat: `npm run isolation -- --server ${client.url}`,
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      tables: [...new Set(attempts.map((attempt) => attempt.table))],
      unproven: withoutControls([...unproven, ...failures], controls),
    };
  } finally {
    client.close();
  }
}

function givenIn({ asA, asB }: ProveServerOptions, env: NodeJS.ProcessEnv) {
  if (asA === undefined && asB === undefined) return undefined;
  const { ISOLATION_PASSWORD_A: a, ISOLATION_PASSWORD_B: b } = env;
  if (!asA || !asB || !a || !b) {
    throw new UsageError(
      'Give both --as-a and --as-b, and their passwords in ISOLATION_PASSWORD_A and ISOLATION_PASSWORD_B.',
    );
  }
  return { a: { email: asA, password: a }, b: { email: asB, password: b } };
}
