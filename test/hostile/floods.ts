import { setTimeout as sleep } from 'node:timers/promises';
import { type AttackName, attacks } from '../../bench/noisy/attacks.ts';
import { Flood } from '../../bench/noisy/flood.ts';
import type { JobResult } from '../../bench/noisy/job.ts';
import type { FloodTarget } from './floodTarget.ts';

/** Effect of a flood on the server and on the bystander. */
export interface FloodDamage {
  /** Answers to the flood by kind. */
  readonly flood: JobResult['answers'];
  /** The size of the flood's last requests. */
  readonly size: number;
  /** Times of the bystander's lists, in milliseconds, and problems of its answers. */
  readonly bystander: { readonly milliseconds: readonly number[]; readonly problems: readonly string[] };
  /** Longest delay of the server's event loop, in milliseconds. A busy machine adds to it. */
  readonly eventLoopDelay: number;
  /** Used heap after the flood, in bytes. */
  readonly heap: number;
}

export interface FloodOptions {
  readonly connections: number;
  /** Number of answers that the bystander must get during the flood. */
  readonly bystanderAnswers: number;
  /** Number of accepted requests after which the flood may end. */
  readonly acceptedRequests: number;
  /**
   * The size of the first request, by default the attack's own. A closer size shortens the search for the largest
   * accepted one.
   */
  readonly size?: number | undefined;
  /** Milliseconds after which the flood ends in any case. */
  readonly timeout: number;
}

/** Answers that a flood may get. An internal error of the server is not among them. */
export const answersToFloods = ['ok', '429', '503', 'TOO_COMPLEX', 'TIMEOUT', 'UNAVAILABLE', 'no answer'];

/** Floods the server while a bystander lists its todos. */
export async function flood(target: FloodTarget, attack: AttackName, options: FloodOptions): Promise<FloodDamage> {
  const { tenant } = attacks[attack];
  const { size = attacks[attack].size, connections, bystanderAnswers, acceptedRequests, timeout } = options;
  await target.metrics();
  const source = { attack, api: 'hedgerow', tokens: target.tokens[tenant], size } as const;
  const running = new Flood({ port: target.port, connections, source });
  const end = performance.now() + timeout;
  const milliseconds: number[] = [];
  const problems: string[] = [];
  const isDone = () =>
    milliseconds.length >= bystanderAnswers && (attacks[attack].fixed || running.count('ok') >= acceptedRequests);
  while (!isDone() && performance.now() < end) {
    const start = performance.now();
    const problem = await listAsBystander(target);
    milliseconds.push(performance.now() - start);
    if (problem) problems.push(problem);
    await sleep(20);
  }
  const result = running.stop();
  const { eventLoopDelay, heap } = await target.metrics();
  return { flood: result.answers, size: result.size, bystander: { milliseconds, problems }, eventLoopDelay, heap };
}

async function listAsBystander({ url, bystander }: FloodTarget): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${bystander}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ query: '{ todos(first: 20) { nodes { title description } } }' }),
    });
    const text = await response.text();
    const rows = text.split('of the bystander').length - 1;
    return response.status === 200 && rows === 20 ? undefined : `${response.status}: ${text.slice(0, 300)}`;
  } catch (error) {
    return String((error as Error).cause ?? error);
  }
}
