import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { greet } from '../http/socket.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type TriedField } from './fields.ts';
import { createRequest } from './validArguments.ts';

/**
 * Sends B's working requests for A's organization, for one that does not exist, and with an id that is none. The server
 * must answer all alike, with 403 and without data. It must also refuse such a websocket.
 */
export async function attackOrganizations(context: AttackContext, tried: readonly TriedField[]): Promise<void> {
  const { client, a, b, api, watch } = context;
  const { organizationId } = a;
  if (organizationId === undefined) return;
  const others = [randomUUID(), 'no id'];
  for (const { root, forB, works } of tried) {
    if (!works.b) continue;
    const request = createRequest(root, api.rows, forB);
    const askFor = (id: string) => client.ask({ ...b, organizationId: id }, request);
    const answer = await askFor(organizationId);
    const changed = await watch.changeOf(a);
    await watch.restore();
    const shown = (one: Answer) => `${one.status} ${one.text}`;
    const answers: string[] = [];
    for (const id of others) answers.push(shown(await askFor(id)));
    await watch.restore();
    const different = answers.find((one) => one !== shown(answer));
    const hasData = Object.values(answer.body?.data ?? {}).some((value) => value !== null);
    const evidence = changed
      ? `B changed A's rows: ${changed}`
      : hasData || answer.status !== 403
        ? `B was not refused: ${shorten(shown(answer))}`
        : different &&
          `B gets a different answer for A's organization, ${shorten(shown(answer))}, than for none: ${shorten(different)}`;
    context.report({
      table: context.tableOf(root.entity?.name ?? root.field.name),
      attack: 'organization of another tenant',
      operation: operationOf(root),
      path: 'http',
      statement: `${asText(request)} as B, with A's X-Organization-Id`,
      answer: shorten(shown(answer)),
      outcome: evidence ? 'leaked' : 'held',
      ...(evidence && { evidence }),
    });
  }
  await attackSocket(context, organizationId, others);
}

async function attackSocket(context: AttackContext, organizationId: string, others: readonly string[]): Promise<void> {
  const { client, b } = context;
  const codeFor = async (id: string) => {
    const socket = await greet(client.url, b.token, undefined, id);
    const code = await Promise.race([
      socket.closed.then((closed) => closed.code),
      socket.next().then(
        ({ type }) => type,
        () => new Promise<never>(() => {}),
      ),
    ]);
    socket.raw.terminate();
    return code;
  };
  const code = await codeFor(organizationId);
  const other = [];
  for (const id of others) other.push(await codeFor(id));
  const isRefused = typeof code === 'number' && other.every((one) => one === code);
  context.report({
    table: context.tableOf('Organization'),
    attack: 'organization of another tenant',
    operation: 'select',
    path: 'websocket',
    statement: "connection_init as B, with the id of A's organization",
    answer: String(code),
    outcome: isRefused ? 'held' : 'leaked',
    ...(!isRefused && {
      evidence: `B was not refused alike: A's organization ${code}, others ${other.join(' and ')}`,
    }),
  });
}
