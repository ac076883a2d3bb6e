import { setTimeout as sleep } from 'node:timers/promises';
import { greet, listChanged, type Message, todoChanged } from '../support/socket.ts';
import { type Context, fail, shorten } from './context.ts';
import { between, pick, type Random } from './random.ts';
import type { Tenant } from './tenant.ts';

const documents = [
  todoChanged,
  listChanged,
  'subscription { todoChanged { event rowId todo { title user { username } } } }',
];

/** Subscribes in the names of tenants who are at work, and goes while events arrive. */
export async function subscriberLane(context: Context, random: Random, over: () => boolean): Promise<void> {
  while (!over() && !context.halted) {
    await subscribe(context, pick(random, context.tenants), between(random, 20, 300));
  }
}

async function subscribe(context: Context, tenant: Tenant, milliseconds: number): Promise<void> {
  const { target, owners, report } = context;
  const socket = await greet(target.url.replace(/\/graphql$/, ''), tenant.session.token);
  let events = 0;
  socket.raw.on('message', (data) => {
    const text = String(data);
    const { type } = JSON.parse(text) as Message;
    if (type === 'connection_ack')
      for (const [id, document] of documents.entries()) socket.subscribe(`${id}`, document);
    if (type === 'next') events++;
    const foreign = owners.foreignIn(text, tenant.name);
    if (foreign.length === 0) return;
    report.foreignRows++;
    const failure = { request: report.requests, who: `${tenant.name}, subscribed`, sent: '', received: shorten(text) };
    fail(context, { ...failure, leak: true, what: `an event shows what is another's: ${foreign.join(', ')}` });
  });
  await sleep(milliseconds);
  socket.raw.terminate();
  await socket.closed;
  if (events > 0) report.faults.add('subscription closed mid-event');
}
