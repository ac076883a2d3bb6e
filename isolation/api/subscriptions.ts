import { setTimeout as sleep } from 'node:timers/promises';
import { getNamedType, isObjectType } from 'postgraphile/graphql';
import { shorten } from '../attempt.ts';
import { begin, openSocket } from '../http/socket.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type TriedField } from './fields.ts';
import { type Field, select } from './schema.ts';
import { createRequest, works } from './validArguments.ts';

/** The maximum time to wait for B's own event, in seconds. */
const eventTimeout = 10;

/**
 * Subscribes to each field as B while A writes. Then B writes, too: the arrival of B's own event shows that events of A
 * would have arrived before it.
 *
 * @returns the fields for which no event of B's own arrived, with the reasons.
 */
export async function attackSubscriptions(
  context: AttackContext,
  tried: readonly TriedField[],
  only: (type: string) => boolean,
): Promise<Map<string, string>> {
  const unproven = new Map<string, string>();
  for (const field of context.api.subscriptions) {
    const event = getNamedType(field.type);
    const fields = isObjectType(event) ? Object.values(event.getFields()) : [];
    const row = fields.map(({ type }) => getNamedType(type).name).find((name) => context.api.rows.has(name));
    if (!only(row ?? '')) continue;
    const mutations = tried.filter(
      ({ root, works: both }) => root.operation === 'mutation' && root.entity?.name === row && both.a && both.b,
    );
    const insert =
      mutations.find(({ root, needsRoom }) => operationOf(root) === 'insert' && !needsRoom) ?? mutations[0];
    if (!row || !insert) unproven.set(field.name, 'no mutation that works for A and B triggers it');
    else if (!(await watchField(context, field, row, mutations, insert)))
      unproven.set(field.name, 'no event of B’s own arrived');
  }
  return unproven;
}

/** @returns whether B's own event arrived. */
async function watchField(
  context: AttackContext,
  field: Field,
  row: string,
  mutations: readonly TriedField[],
  insert: TriedField,
): Promise<boolean> {
  const { client, a, b, api, watch } = context;
  const document = `subscription { ${field.name} ${select(field.type, api.rows)} }`;
  const socket = await openSocket(client.url, b.token ?? '', b.organizationId);
  try {
    const id = await begin(socket, document);
    const from = socket.heard.length;
    const sent: string[] = [];
    for (const { root, forA } of [insert, ...mutations.filter((one) => one !== insert)]) {
      const request = createRequest(root, api.rows, forA);
      if (works(root, await client.ask(a, request))) sent.push(root.field.name);
    }
    const answer = await client.ask(b, createRequest(insert.root, api.rows, insert.forB));
    const until = performance.now() + eventTimeout * 1000;
    const own = ownKeys(answer.body?.data?.[insert.root.field.name]);
    const events = () => socket.heard.slice(from).filter((message) => message.id === id);
    const isOwn = (text: string) => own.some((key) => text.includes(key));
    while (!events().some(({ payload }) => isOwn(JSON.stringify(payload))) && performance.now() < until) await sleep(5);
    const foreign = events().filter(({ payload }) => !isOwn(JSON.stringify(payload)));
    const arrived = events().length > foreign.length;
    context.report({
      table: context.tableOf(row),
      attack: 'watch while A writes',
      operation: 'select',
      path: 'websocket',
      statement: `${document} as B, while A did ${sent.join(', ')}`,
      answer: shorten(
        events()
          .map(({ payload }) => JSON.stringify(payload))
          .join(' '),
      ),
      outcome: foreign.length > 0 ? 'leaked' : 'held',
      ...(foreign[0] && {
        evidence: `B received an event of what A did: ${shorten(JSON.stringify(foreign[0].payload))}`,
      }),
    });
    return arrived;
  } finally {
    socket.raw.terminate();
    await socket.closed;
    await watch.restore();
  }
}

/** The keys in a mutation's payload, which identify its event. */
function ownKeys(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(ownKeys);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === 'rowId' ? [String(inner)] : ownKeys(inner)));
}
