import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type Tried } from './fields.ts';
import { questionOf } from './validArguments.ts';
import { normalize } from './values.ts';

/**
 * An `Idempotency-Key` is its tenant's own: B, who sends a key that A has used, with A's document or with another, is
 * answered as with a key that nobody has used. And A still gets the first answer.
 */
export async function attackIdempotency(world: AttackContext, tried: readonly Tried[]): Promise<void> {
  const makes = tried.find(({ root, works, room }) => operationOf(root) === 'insert' && works.a && works.b && !room);
  if (!makes) return;
  const { client, a, b, api, watch } = world;
  const { root, forA, forB } = makes;
  // A key that A chose would be in both answers anyway.
  const ofA = questionOf(
    root,
    api.rows,
    new Map([...forA].filter(([{ required, name }]) => required || name !== 'rowId')),
  );
  const ofB = questionOf(root, api.rows, forB);
  for (const [attack, question] of [
    ['idempotency key of another, same document', ofA],
    ['idempotency key of another, own document', ofB],
  ] as const) {
    const asked = async (isUsed: boolean) => {
      await watch.restore();
      const headers = { 'idempotency-key': randomUUID() };
      const first = await client.ask(a, { ...ofA, headers });
      const answer = await client.ask(b, isUsed ? { ...question, headers } : withKey(question));
      return { headers, first, answer, again: await client.ask(a, { ...ofA, headers }) };
    };
    const fresh = await asked(false);
    const used = await asked(true);
    const differs = plain(used.answer, world) !== plain(fresh.answer, world);
    const evidence = differs
      ? `B sent a key that A had used, and was answered ${shorten(used.answer.text)} instead of ${shorten(fresh.answer.text)}`
      : used.again.text !== used.first.text
        ? `A sent the same again after B had used the key, and was answered ${shorten(used.again.text)} instead of ${shorten(used.first.text)}`
        : isRepeated(used) && !isRepeated(fresh)
          ? `B was answered with what A had made: ${shorten(used.first.text)}`
          : undefined;
    world.report({
      table: world.tableOf(root.entity?.name),
      ...{ attack, operation: 'insert', path: 'http' },
      statement: asText({ ...question, headers: used.headers }),
      answer: shorten(`${used.answer.status} ${used.answer.text}`),
      outcome: evidence ? 'leaked' : 'held',
      ...(evidence && { evidence }),
    });
  }
  await watch.restore();
}

/** B's answer is the one that A got. */
const isRepeated = ({ first, answer }: { first: Answer; answer: Answer }) => answer.text === first.text;

const withKey = <Asked extends object>(question: Asked) => ({
  ...question,
  headers: { 'idempotency-key': randomUUID() },
});

function plain({ status, body, text }: Answer, { own }: AttackContext): string {
  return JSON.stringify([status, body ? normalize(body, [], own) : text]);
}
