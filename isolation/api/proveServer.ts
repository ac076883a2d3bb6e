import { UsageError } from '../../common/usageError.ts';
import type { Proof } from '../proof.ts';
import { withoutControls } from '../unproven.ts';
import { attackApi } from './attackApi.ts';
import { Client } from './client.ts';
import { requireRows, withRemoteContext } from './remote.ts';

export interface ProveServerOptions {
  /** The server's address, without a path. */
  readonly server: string;
  /** The email address of an existing account to use as A; password in ISOLATION_PASSWORD_A. */
  readonly asA?: string | undefined;
  /** The email address of an existing account to use as B; password in ISOLATION_PASSWORD_B. */
  readonly asB?: string | undefined;
  readonly graphqlSchema?: string | undefined;
  readonly seed: number;
  readonly table?: readonly string[] | undefined;
}

/**
 * Attacks a running server over HTTP. It knows only the server's answers.
 *
 * @throws UsageError if accounts or the schema are missing, or A cannot insert rows.
 */
export async function proveServer(options: ProveServerOptions, progress: (line: string) => void): Promise<Proof> {
  const { server, graphqlSchema, seed, table } = options;
  const startedAt = new Date();
  const client = new Client(server, progress);
  const wanted = table?.map((name) => name.toLowerCase().replaceAll(/_|s$/g, ''));
  const only = wanted && ((type: string) => wanted.includes(type.toLowerCase()));
  try {
    const { attempts, controls, unproven, failures } = await withRemoteContext(
      client,
      { schemaFile: graphqlSchema, existing: givenAccounts(options, process.env), progress },
      async (context, revokedActors, sessionOfA, secrets) => {
        requireRows(context);
        return attackApi(context, { revokedActors, accounts: { sessionOfA, secrets }, only, progress });
      },
    );
    return {
      database: client.url,
      seed,
      startedAt,
      attempts,
      controls,
      owners: {},
      notJudged: [],
      mutants: undefined,
      repeat: `npm run isolation -- --server ${client.url}`,
      seconds: (Date.now() - startedAt.getTime()) / 1000,
      tables: [...new Set(attempts.map((attempt) => attempt.table))],
      unproven: withoutControls([...unproven, ...failures], controls),
    };
  } finally {
    client.close();
  }
}

function givenAccounts({ asA, asB }: ProveServerOptions, env: NodeJS.ProcessEnv) {
  if (asA === undefined && asB === undefined) return undefined;
  const { ISOLATION_PASSWORD_A: a, ISOLATION_PASSWORD_B: b } = env;
  if (!asA || !asB || !a || !b) {
    throw new UsageError(
      'An account or a password is missing. Give both --as-a and --as-b, and their passwords in ISOLATION_PASSWORD_A and ISOLATION_PASSWORD_B.',
    );
  }
  return { a: { email: asA, password: a }, b: { email: asB, password: b } };
}
