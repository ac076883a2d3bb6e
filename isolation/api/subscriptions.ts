import { setTimeout as sleep } from 'node:timers/promises';
import { getNamedType, isObjectType } from 'postgraphile/graphql';
import { shorten } from '../attempt.ts';
import { begin, openSocket } from '../http/socket.ts';
import type { AttackContext } from './attackContext.ts';
import { operationOf, type Tried } from './fields.ts';
import { type Field, select } from './schema.ts';
import { questionOf, works } from './validArguments.ts';

/** Seconds for an event of one's own to arrive. */
const patience = 10;

/**
 * Watches each field as B while A writes. That nothing came is shown by what comes next: an event of B's own.
 *
 * @returns the fields of which it could not be shown, and why.
 */
export async function attackSubscriptions(
  world: AttackContext,
  tried: readonly Tried[],
  only: (type: string) => boolean,
): Promise<Map<string, string>> {
  const unproven = new Map<string, string>();
  for (const field of world.api.subscriptions) {
    const event = getNamedType(field.type);
    const fields = isObjectType(event) ? Object.values(event.getFields()) : [];
    const row = fields.map(({ type }) => getNamedType(type).name).find((name) => world.api.rows.has(name));
    if (!only(row ?? '')) continue;
    const about = tried.filter(
      ({ root, works: both }) => root.operation === 'mutation' && root.entity?.name === row && both.a && both.b,
    );
    const makes = about.find(({ root, room }) => operationOf(root) === 'insert' && !room) ?? about[0];
    if (!row || !makes) unproven.set(field.name, 'nothing of A’s makes an event of it');
    else if (!(await watchField(world, field, row, about, makes))) unproven.set(field.name, 'no event of B’s own came');
  }
  return unproven;
}

/** @returns whether B's own event came. */
async function watchField(
  world: AttackContext,
  field: Field,
  row: string,
  about: readonly Tried[],
  makes: Tried,
): Promise<boolean> {
  const { client, a, b, api, watch } = world;
  const document = `subscription { ${field.name} ${select(field.type, api.rows)} }`;
  const socket = await openSocket(client.url, b.token ?? '');
  try {
    const id = await begin(socket, document);
    const from = socket.heard.length;
    const sent: string[] = [];
    for (const { root, forA } of [makes, ...about.filter((one) => one !== makes)]) {
      const question = questionOf(root, api.rows, forA);
      if (works(root, await client.ask(a, question))) sent.push(root.field.name);
    }
    const answer = await client.ask(b, questionOf(makes.root, api.rows, makes.forB));
    const until = performance.now() + patience * 1000;
    const own = ownKeys(answer.body?.data?.[makes.root.field.name]);
    const events = () => socket.heard.slice(from).filter((message) => message.id === id);
    const isOwn = (text: string) => own.some((key) => text.includes(key));
    while (!events().some(({ payload }) => isOwn(JSON.stringify(payload))) && performance.now() < until) await sleep(5);
    const foreign = events().filter(({ payload }) => !isOwn(JSON.stringify(payload)));
    const arrived = events().length > foreign.length;
    world.report({
      table: world.tableOf(row),
      ...{ attack: 'watch while A writes', operation: 'select', path: 'websocket' },
      statement: `${document} as B, while A did ${sent.join(', ')}`,
      answer: shorten(
        events()
          .map(({ payload }) => JSON.stringify(payload))
          .join(' '),
      ),
      outcome: foreign.length > 0 ? 'leaked' : 'held',
      ...(foreign[0] && {
        evidence: `B was sent an event of what A did: ${shorten(JSON.stringify(foreign[0].payload))}`,
      }),
    });
    return arrived;
  } finally {
    socket.raw.terminate();
    await socket.closed;
    await watch.restore();
  }
}

/** The keys in a payload, by which its event is known. */
function ownKeys(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(ownKeys);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => (name === 'rowId' ? [String(inner)] : ownKeys(inner)));
}
