import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { GraphQLRequest } from './client.ts';
import { operationOf, type TriedField } from './fields.ts';
import { createRequest, works } from './validArguments.ts';
import { normalize } from './values.ts';

/**
 * Sends B's requests before and after A inserts rows, and compares the answers. A's writes must not change any answer to
 * B, such as rows, counts or function results, and they must not change B's rows.
 */
export async function attackNonInterference(context: AttackContext, tried: readonly TriedField[]): Promise<void> {
  const { b, watch, api, client } = context;
  const answerTo = async (
    request: GraphQLRequest,
    { root, needsRoom }: TriedField,
    mutation = root.operation === 'mutation',
  ) => {
    if (needsRoom) await watch.makeRoom(b, root.entity?.name);
    const answer = await client.ask(b, request);
    if (mutation) await watch.restore();
    return answer;
  };
  const before = [];
  for (const field of tried) {
    const request = createRequest(field.root, api.rows, field.forB);
    const first = await answerTo(request, field);
    // An answer that varies without any write, such as a random number, proves nothing.
    const isStable = comparable(first) === comparable(await answerTo(request, field));
    before.push({ field, request, first, isStable });
  }
  const inserted = await writeAsA(context, tried);
  const changed = await watch.changeOf(b);
  report(context, undefined, `${inserted} rows inserted by A`, changed && `A's writes changed B's rows: ${changed}`);
  await watch.restore();
  let isWritten = false;
  for (const { field, request, first, isStable } of before) {
    if (!isStable) continue;
    // A query changes nothing, so A's rows remain for the next request.
    if (!isWritten) await writeAsA(context, tried);
    isWritten = field.root.operation === 'query';
    const after = await answerTo(request, field, !isWritten);
    const differs = comparable(first) !== comparable(after);
    const evidence = `B sent the same request before and after A wrote, and the answers differ: ${shorten(first.text)} became ${shorten(after.text)}`;
    report(context, field.root, asText(request), differs ? evidence : undefined, after);
  }
  await watch.restore();
}

/** Runs every field that inserts a row, as A; returns the number of inserted rows. */
async function writeAsA({ client, a, api, watch }: AttackContext, tried: readonly TriedField[]): Promise<number> {
  let inserted = 0;
  for (const { root, forA, needsRoom } of tried) {
    if (operationOf(root) !== 'insert') continue;
    const request = createRequest(root, api.rows, forA);
    if (needsRoom) await watch.makeRoom(a, root.entity?.name);
    if (works(root, await client.ask(a, request))) inserted++;
  }
  return inserted;
}

function comparable({ status, body, text }: Answer): string {
  return JSON.stringify([status, body ? normalize(body, [], new Set()) : text]);
}

function report(
  context: AttackContext,
  root: TriedField['root'] | undefined,
  statement: string,
  evidence: string | undefined,
  answer?: Answer,
): void {
  context.report({
    table: context.tableOf(root?.entity?.name ?? root?.field.name),
    attack: 'while A writes',
    operation: root ? operationOf(root) : 'other',
    path: 'http',
    statement,
    answer: answer ? shorten(`${answer.status} ${answer.text}`) : '',
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence }),
  });
}
