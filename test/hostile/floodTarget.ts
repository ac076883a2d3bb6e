import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../common/root.ts';
import { createTestDatabase } from '../support/database.ts';
import { productionEnv } from '../support/process.ts';
import { type Running, run } from '../support/running.ts';

/** A server process under attack, and its tenants. */
export interface FloodTarget {
  readonly url: string;
  readonly port: number;
  readonly process: Running;
  /** Access tokens of the flooding tenants, with many todos or with large ones. */
  readonly tokens: Readonly<Record<'many' | 'large', readonly string[]>>;
  /** Access token of a tenant with 20 todos. */
  readonly bystander: string;
  /** The largest delay of the event loop since the last call, in milliseconds, and the used heap, in bytes. */
  metrics(): Promise<{ eventLoopDelay: number; heap: number }>;
  close(): Promise<void>;
}

export interface FloodTargetOptions {
  /** Directory of the server to attack. */
  readonly directory?: string | undefined;
  /** Size of the old generation, in MB. */
  readonly heap?: number;
  /** Flooding tenants of each kind. */
  readonly tenants: number;
  /** Todos of each flooding tenant. */
  readonly many: number;
  readonly large: number;
}

/** Starts a server in production mode with its own database. */
export async function startFloodTarget({
  directory = root,
  heap = 512,
  tenants,
  many,
  large,
}: FloodTargetOptions): Promise<FloodTarget> {
  const db = await createTestDatabase();
  // A long request timeout, so that a busy machine causes no errors. Every error of the bystander is then a server
  // error.
  const env = { ...productionEnv(db), PORT: '0', LOG_LEVEL: 'info', REQUEST_TIMEOUT: '60', AUTH_LIMIT_FACTOR: '1000' };
  const args = [`--max-old-space-size=${heap}`, join(directory, 'server', 'main.ts')];
  const process = run(args, { cwd: tmpdir(), env });
  const close = async () => {
    await process.stop('SIGKILL');
    await db.drop();
  };
  try {
    const url = JSON.parse(await process.line(/"url":"/)).url as string;
    const signUp = async (name: string) => {
      const answer = await fetch(`${url}/auth/register`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ email: `${name}@example.com`, username: name, password: `${name}-long-password` }),
      });
      const { user, accessToken } = (await answer.json()) as { user: { id: string }; accessToken: string };
      return { id: user.id, token: accessToken };
    };
    const tokens = { many: [] as string[], large: [] as string[] };
    for (let index = 0; index < tenants; index++) {
      const manyTodos = await signUp(`many${index}`);
      const largeTodos = await signUp(`large${index}`);
      await fill(db.asAdmin, manyTodos.id, many, "'words that nobody looks for, number ' || n");
      await fill(db.asAdmin, largeTodos.id, large, "left(repeat('Trim the hedge along the lane. ', 400), 9900)");
      tokens.many.push(manyTodos.token);
      tokens.large.push(largeTodos.token);
    }
    const bystander = await signUp('bystander');
    await fill(db.asAdmin, bystander.id, 20, "'of the bystander'");
    return {
      url,
      port: Number(new URL(url).port),
      process,
      tokens,
      bystander: bystander.token,
      async metrics() {
        const text = await (await fetch(`${url}/metrics`)).text();
        const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
        return {
          eventLoopDelay: Math.round(value('nodejs_eventloop_lag_max_seconds') * 1000),
          heap: value('nodejs_heap_size_used_bytes'),
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function fill(
  asAdmin: (text: string, values: unknown[]) => Promise<unknown>,
  userId: string,
  count: number,
  description: string,
): Promise<void> {
  await asAdmin(
    `with list as (insert into app_public.lists (user_id, name) values ($1, 'List') returning id)
     insert into app_public.todos (user_id, list_id, title, description, created_at)
     select $1, list.id, 'Todo ' || n, ${description}, timestamptz '2025-01-01' + n * interval '1 minute'
     from list, generate_series(1, $2::int) n`,
    [userId, count],
  );
}
