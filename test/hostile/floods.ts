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
  /** Times of the bystander's lists, in milliseconds, and what was wrong with answers. */
  readonly bystander: { readonly milliseconds: readonly number[]; readonly complaints: readonly string[] };
  /** Milliseconds that the server's event loop was held for at most. A busy machine adds to them. */
  readonly eventLoopDelay: number;
  /** Used heap behind the flood, in bytes. */
  readonly heap: number;
}

export interface FloodOptions {
  readonly connections: number;
  /** Answers that the bystander must get while the flood goes on. */
  readonly answers: number;
  /** Accepted requests of the flood that it must last for. */
  readonly accepted: number;
  /** The size of its first request, if not the attack's own: finding the largest accepted one takes time. */
  readonly size?: number | undefined;
  /** Milliseconds after which it ends in any case. */
  readonly patience: number;
}

/** Answers that a flood may get: an error of the server's own is none of them. */
export const answersToFloods = ['ok', '429', '503', 'TOO_COMPLEX', 'TIMEOUT', 'UNAVAILABLE', 'no answer'];

/** Floods the server, while a bystander lists its todos. */
export async function flood(target: FloodTarget, attack: AttackName, options: FloodOptions): Promise<FloodDamage> {
  const { tenant } = attacks[attack];
  const { size = attacks[attack].size, connections, answers, accepted, patience } = options;
  await target.metrics();
  const source = { attack, api: 'hedgerow', tokens: target.tokens[tenant], size } as const;
  const running = new Flood({ port: target.port, connections, source });
  const end = performance.now() + patience;
  const milliseconds: number[] = [];
  const complaints: string[] = [];
  const isDone = () => milliseconds.length >= answers && (attacks[attack].fixed || running.count('ok') >= accepted);
  while (!isDone() && performance.now() < end) {
    const start = performance.now();
    const complaint = await listAsBystander(target);
    milliseconds.push(performance.now() - start);
    if (complaint) complaints.push(complaint);
    await sleep(20);
  }
  const result = running.stop();
  const { eventLoopDelay, heap } = await target.metrics();
  return { flood: result.answers, size: result.size, bystander: { milliseconds, complaints }, eventLoopDelay, heap };
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
