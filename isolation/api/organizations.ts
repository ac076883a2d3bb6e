import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type TriedField } from './fields.ts';
import { createRequest } from './validArguments.ts';

/**
 * Sends B's working requests for A's organization, for one that does not exist, and with an id that is none. The server
 * must answer all alike and without data.
 */
export async function attackOrganizations(context: AttackContext, tried: readonly TriedField[]): Promise<void> {
  const { client, a, b, api, watch } = context;
  const { organizationId } = a;
  if (organizationId === undefined) return;
  const others = [randomUUID(), 'no id'];
  for (const { root, forB } of tried) {
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
      : hasData
        ? `B acted for A's organization: ${shorten(shown(answer))}`
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
}
