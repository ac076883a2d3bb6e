import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type TriedField } from './fields.ts';
import { createRequest } from './validArguments.ts';
import { normalize } from './values.ts';

/**
 * Reuses A's `Idempotency-Key` as B, with A's document and with B's own. Keys belong to a tenant, so B must get the same
 * answer as with an unused key. If A then repeats its request, A must still get the first answer.
 */
export async function attackIdempotency(context: AttackContext, tried: readonly TriedField[]): Promise<void> {
  const insert = tried.find(
    ({ root, works, needsRoom }) => operationOf(root) === 'insert' && works.a && works.b && !needsRoom,
  );
  if (!insert) return;
  const { client, a, b, api, watch } = context;
  const { root, forA, forB } = insert;
  // A row key that A chose would be in both answers anyway.
  const ofA = createRequest(
    root,
    api.rows,
    new Map([...forA].filter(([{ required, name }]) => required || name !== 'rowId')),
  );
  const ofB = createRequest(root, api.rows, forB);
  for (const [attack, request] of [
    ['idempotency key of another tenant, same document', ofA],
    ['idempotency key of another tenant, own document', ofB],
  ] as const) {
    const send = async (isUsed: boolean) => {
      await watch.restore();
      const headers = { 'idempotency-key': randomUUID() };
      const first = await client.ask(a, { ...ofA, headers });
      const answer = await client.ask(b, isUsed ? { ...request, headers } : withKey(request));
      return { headers, first, answer, again: await client.ask(a, { ...ofA, headers }) };
    };
    const fresh = await send(false);
    const used = await send(true);
    const differs = comparable(used.answer, context) !== comparable(fresh.answer, context);
    const evidence = differs
      ? `B sent a key that A had used, and the answer was ${shorten(used.answer.text)} instead of ${shorten(fresh.answer.text)}`
      : used.again.text !== used.first.text
        ? `A sent the same request again after B had used the key, and the answer was ${shorten(used.again.text)} instead of ${shorten(used.first.text)}`
        : isRepeated(used) && !isRepeated(fresh)
          ? `B received the row that A had made: ${shorten(used.first.text)}`
          : undefined;
    context.report({
      table: context.tableOf(root.entity?.name),
      attack,
      operation: 'insert',
      path: 'http',
      statement: asText({ ...request, headers: used.headers }),
      answer: shorten(`${used.answer.status} ${used.answer.text}`),
      outcome: evidence ? 'leaked' : 'held',
      ...(evidence && { evidence }),
    });
  }
  await watch.restore();
}

/** Whether B received A's answer. */
const isRepeated = ({ first, answer }: { first: Answer; answer: Answer }) => answer.text === first.text;

const withKey = <Asked extends object>(request: Asked) => ({
  ...request,
  headers: { 'idempotency-key': randomUUID() },
});

function comparable({ status, body, text }: Answer, { ownValues: own }: AttackContext): string {
  return JSON.stringify([status, body ? normalize(body, [], own) : text]);
}
