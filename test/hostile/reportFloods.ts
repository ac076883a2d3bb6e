import { attackNames } from '../../bench/noisy/attacks.ts';
import { answersToFloods, flood } from './floods.ts';
import { type FloodTarget, startFloodTarget } from './floodTarget.ts';

export interface ReportOptions {
  /** Accepted large documents, and large answers, that the heap has to bear. */
  readonly count: number;
  /** MB. */
  readonly heap: number;
  readonly directory?: string | undefined;
}

const connections = 100;
/** Each has its own share of the server: with one tenant, 1,000 large documents take half an hour. */
const tenants = 10;
/** Milliseconds: of the floods for the heap, and of each other one. */
const patience = { heap: 900_000, other: 30_000 };

/**
 * Sends every flood to a server, and prints what it did. The floods of documents and answers go on until `count` of them
 * have been accepted. Resolves to whether the server survived and nobody got an answer that must not be.
 */
export async function reportFloods({ count, heap, directory }: ReportOptions): Promise<boolean> {
  const target = await startFloodTarget({ directory, heap, tenants, many: 10_000, large: 500 });
  let isWell = true;
  try {
    for (const attack of attackNames) {
      const isForHeap = attack === 'documents' || attack === 'answers';
      const damage = await flood(target, attack, {
        connections,
        answers: 50,
        accepted: isForHeap ? count : 1,
        patience: isForHeap ? patience.heap : patience.other,
      });
      const { milliseconds, complaints } = damage.bystander;
      const sorted = milliseconds.toSorted((a, b) => a - b);
      const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
      console.log(
        `${attack.padEnd(10)} ${JSON.stringify(damage.flood)} size ${damage.size}; bystander ${milliseconds.length} lists, p50 ${at(0.5)} ms, longest ${at(0.999)} ms; event loop held for at most ${damage.eventLoopDelay} ms; heap ${Math.round(damage.heap / 1e6)} MB`,
      );
      const unexpected = Object.keys(damage.flood).filter((kind) => !answersToFloods.includes(kind));
      for (const complaint of complaints.slice(0, 5)) console.log(`  the bystander was answered: ${complaint}`);
      if (unexpected.length > 0) console.log(`  the flood must not be answered: ${unexpected.join(', ')}`);
      isWell &&= complaints.length === 0 && unexpected.length === 0;
    }
  } catch (error) {
    isWell = false;
    console.log(endOf(target, error));
  } finally {
    await target.close();
  }
  return isWell;
}

function endOf(target: FloodTarget, error: unknown): string {
  return `The server does not answer any more: ${(error as Error).message}\n${target.process.output().slice(-2000)}`;
}
