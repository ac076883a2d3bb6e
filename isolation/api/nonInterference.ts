import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { Question } from './client.ts';
import { operationOf, type Tried } from './fields.ts';
import { questionOf, works } from './validArguments.ts';
import { normalize } from './values.ts';

/**
 * What A does must change nothing of what B is answered: not a row, not a count, not the answer of a function that
 * only tells a number. And A's writes must change nothing of B's rows.
 */
export async function attackNonInterference(world: AttackContext, tried: readonly Tried[]): Promise<void> {
  const { client, b, watch, api } = world;
  const asked = tried.map((one) => ({ one, question: questionOf(one.root, api.rows, one.forB) }));
  const answers = async (question: Question, { root, room }: Tried, mutation = root.operation === 'mutation') => {
    if (room) await watch.makeRoom(b, root.entity?.name);
    const answer = await client.ask(b, question);
    if (mutation) await watch.restore();
    return answer;
  };
  const before = [];
  for (const { one, question } of asked) {
    const first = await answers(question, one);
    // What differs by itself, such as a random number, tells nothing.
    const steady = comparable(first) === comparable(await answers(question, one));
    before.push({ one, question, first, steady });
  }
  const wrote = await writeAsA(world, tried);
  const changed = await watch.changeOf(b);
  report(world, undefined, `${wrote} rows of A’s made by A`, changed && `what A did changed what is B's: ${changed}`);
  await watch.restore();
  let isWritten = false;
  for (const { one, question, first, steady } of before) {
    if (!steady) continue;
    // A query changes nothing: what A wrote is still there for the next.
    if (!isWritten) await writeAsA(world, tried);
    isWritten = one.root.operation === 'query';
    const after = await answers(question, one, !isWritten);
    const differs = comparable(first) !== comparable(after);
    const evidence = `B asked the same before and after A wrote, and was answered differently: ${shorten(first.text)} became ${shorten(after.text)}`;
    report(world, one.root, asText(question), differs ? evidence : undefined, after);
  }
  await watch.restore();
}

/** A makes a row of everything that A can make; how many. */
async function writeAsA({ client, a, api, watch }: AttackContext, tried: readonly Tried[]): Promise<number> {
  let done = 0;
  for (const { root, forA, room } of tried) {
    if (operationOf(root) !== 'insert') continue;
    const question = questionOf(root, api.rows, forA);
    if (room) await watch.makeRoom(a, root.entity?.name);
    if (works(root, await client.ask(a, question))) done++;
  }
  return done;
}

function comparable({ status, body, text }: Answer): string {
  return JSON.stringify([status, body ? normalize(body, [], new Set()) : text]);
}

function report(
  world: AttackContext,
  root: Tried['root'] | undefined,
  statement: string,
  evidence: string | undefined,
  answer?: Answer,
): void {
  world.report({
    table: world.tableOf(root?.entity?.name ?? root?.field.name),
    ...{ attack: 'while A writes', operation: root ? operationOf(root) : 'other', path: 'http', statement },
    answer: answer ? shorten(`${answer.status} ${answer.text}`) : '',
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence }),
  });
}
