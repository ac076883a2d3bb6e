import { attackNames } from '../../bench/noisy/attacks.ts';
import { answersToFloods, flood } from './floods.ts';
import { type FloodTarget, startFloodTarget } from './floodTarget.ts';

export interface ReportOptions {
  /** Number of large documents, and of large answers, that the server must accept. */
  readonly count: number;
  /** Size of the old generation, in MB. */
  readonly heap: number;
  readonly directory?: string | undefined;
}

const connections = 100;
/** Several tenants, because each has its own share of the server: with one, 1,000 large documents take half an hour. */
const tenants = 10;
/** Maximum duration in milliseconds of the floods that load the heap, and of each other flood. */
const timeouts = { heap: 900_000, other: 30_000 };

/**
 * Sends every flood to a server and prints its effects. The floods of documents and answers last until the server has
 * accepted `count` requests.
 *
 * @returns whether the server survived and all answers were allowed.
 */
export async function reportFloods({ count, heap, directory }: ReportOptions): Promise<boolean> {
  const target = await startFloodTarget({ directory, heap, tenants, many: 10_000, large: 500 });
  let passed = true;
  try {
    for (const attack of attackNames) {
      const isForHeap = attack === 'documents' || attack === 'answers';
      const damage = await flood(target, attack, {
        connections,
        bystanderAnswers: 50,
        acceptedRequests: isForHeap ? count : 1,
        timeout: isForHeap ? timeouts.heap : timeouts.other,
      });
      const { milliseconds, problems } = damage.bystander;
      const sorted = milliseconds.toSorted((a, b) => a - b);
      const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
      console.log(
        `${attack.padEnd(10)} ${JSON.stringify(damage.flood)} size ${damage.size}; bystander ${milliseconds.length} lists, p50 ${at(0.5)} ms, longest ${at(0.999)} ms; event loop blocked for at most ${damage.eventLoopDelay} ms; heap ${Math.round(damage.heap / 1e6)} MB`,
      );
      const unexpected = Object.keys(damage.flood).filter((kind) => !answersToFloods.includes(kind));
      for (const problem of problems.slice(0, 5)) console.log(`  wrong answer to the bystander: ${problem}`);
      if (unexpected.length > 0) console.log(`  unexpected answers to the flood: ${unexpected.join(', ')}`);
      passed &&= problems.length === 0 && unexpected.length === 0;
    }
  } catch (error) {
    passed = false;
    console.log(describeFailure(target, error));
  } finally {
    await target.close();
  }
  return passed;
}

function describeFailure(target: FloodTarget, error: unknown): string {
  return `The server no longer answers: ${(error as Error).message}\n${target.process.output().slice(-2000)}`;
}
