import { Agent } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Answer, post } from '../../isolation/http/post.ts';
import type { Database } from '../../server/tenancy/tenantDatabase.ts';
import type { Hostile } from './documents.ts';

/** Effects of the bodies on the server. */
export interface Damage {
  /** Wrong answers, each with its body. */
  readonly complaints: readonly string[];
  /** Number of answers by error code; `data` for answers without errors. */
  readonly answers: Readonly<Record<string, number>>;
  /** Growth of the heap in bytes, measured after garbage collections. */
  readonly heapGrowth: number;
  /** Longest delay of the event loop in milliseconds, client and server together. */
  readonly eventLoopDelay: number;
  /** The slowest kinds, in milliseconds. */
  readonly slowest: readonly (readonly [kind: string, milliseconds: number])[];
}

setFlagsFromString('--expose_gc');
const collect: () => void = runInNewContext('gc');

/** Sends `bodies` one after the other, as the tenant of `token`. */
export async function sendAll(
  { url, token, database }: { url: string; token: string; database: Database },
  bodies: readonly Hostile[],
): Promise<Damage> {
  const agent = new Agent({ keepAlive: true });
  const problems: string[] = [];
  const answers: Record<string, number> = {};
  const slowest = new Map<string, number>();
  collect();
  const heap = process.memoryUsage().heapUsed;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  for (const hostile of bodies) {
    const text = typeof hostile.body === 'string' ? hostile.body : JSON.stringify(hostile.body);
    const before = transactions(database);
    const answer = await post(url, { agent, token, payload: Buffer.from(text) });
    const problem =
      findProblem(answer, answers) ??
      (hostile.refused && transactions(database) > before ? 'reached the database' : undefined);
    if (problem) problems.push(`${hostile.kind}: ${problem}: ${text.slice(0, 200)}`);
    if (typeof answer !== 'string')
      slowest.set(hostile.kind, Math.max(slowest.get(hostile.kind) ?? 0, Math.round(answer.milliseconds)));
  }
  delay.disable();
  agent.destroy();
  collect();
  return {
    complaints: problems,
    answers,
    heapGrowth: process.memoryUsage().heapUsed - heap,
    eventLoopDelay: Math.round(delay.max / 1e6),
    slowest: [...slowest].sort(([, a], [, b]) => b - a).slice(0, 5),
  };
}

function findProblem(answer: Answer | string, answers: Record<string, number>): string | undefined {
  if (typeof answer === 'string') return answer;
  const { status, body, text } = answer;
  if (status >= 500) return `${status} ${text.slice(0, 200)}`;
  const codes = new Set(body?.errors?.map(({ extensions }) => extensions?.code ?? 'no code'));
  if (codes.size === 0 && body?.data) codes.add('data');
  if (codes.size === 0) return `neither data nor errors: ${status} ${text.slice(0, 200)}`;
  for (const code of codes) answers[code] = (answers[code] ?? 0) + 1;
  return codes.has('no code') || codes.has('INTERNAL') ? text.slice(0, 300) : undefined;
}

function transactions({ counts }: Database): number {
  return Object.values(counts.transactions).reduce((sum, count) => sum + count, 0);
}
