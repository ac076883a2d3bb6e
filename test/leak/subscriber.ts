import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type Message, Socket } from '../support/socket.ts';
import { allowedSince, type Context, fail, shorten } from './context.ts';
import { checkClose, checkMessage } from './events.ts';
import { probeAfter } from './probe.ts';
import { between, pick, type Random } from './random.ts';
import type { Target } from './target.ts';
import type { Tenant } from './tenant.ts';

/** A moment at which a subscriber disconnects, and the fields that it selects so that the moment occurs. */
interface Disconnection {
  readonly when: string;
  readonly fields: string;
  /** Disconnects as soon as an incomplete event has this many bytes: a poll may find it complete. */
  readonly partialBytes?: number;
  isNow(received: Received, target: Target): boolean | Promise<boolean>;
}

interface Received {
  events: number;
  /** Bytes of an event that is not complete. */
  partialEvent: Buffer[];
}

const row = 'title user { username }';
const subscription = (fields: string) => `subscription { todoChanged { event rowId todo { ${fields} } } }`;

export const disconnections: readonly Disconnection[] = [
  { when: 'while its row is read', fields: `${row} slowly`, isNow: (_heard, target) => readsSlowly(target) },
  { when: 'in the middle of an event', fields: `${row} atLength`, partialBytes: 20_000, isNow: () => false },
  // Each change reaches two subscriptions, so an odd number is between two events.
  { when: 'between two events', fields: row, isNow: ({ events }) => events % 2 === 1 },
];

/** Subscribes as tenants whose own requests run, and disconnects during an event. */
export async function subscriberWorker(
  context: Context,
  disconnection: Disconnection,
  random: Random,
  over: () => boolean,
): Promise<void> {
  const done = () => over() || context.halted;
  while (!done()) {
    await sleep(between(random, 0, 60));
    await subscribe(context, disconnection, pick(random, context.tenants), done);
    await probeAfter(context, context.report.requests);
  }
}

async function subscribe(context: Context, leaving: Disconnection, tenant: Tenant, done: () => boolean): Promise<void> {
  const { target, owners, report } = context;
  const { session } = tenant;
  const start = performance.now();
  const received: Received = { events: 0, partialEvent: [] };
  const reportProblem = (what: string, received: string, leak = false) => {
    const who = `subscriber of ${tenant.name} that disconnects ${leaving.when}`;
    fail(context, { leak, what, request: report.requests, who, sent: '', received: shorten(received) });
  };
  const checkOwners = (text: string) => {
    const foreign = owners.foreignIn(text, tenant.name);
    if (foreign.length === 0) return;
    report.foreignRows++;
    reportProblem(`an event shows data of another tenant: ${foreign.join(', ')}`, text, true);
  };
  const allowed = () => [...allowedSince(context, start), ...(session.ended ? ['UNAUTHENTICATED'] : [])];

  const socket = new Socket(target.url.replace(/\/graphql$/, ''));
  const { raw } = socket;
  let momentReached = false;
  raw.once('upgrade', ({ socket: tcp }: IncomingMessage) =>
    tcp.on('data', (chunk) => {
      received.partialEvent.push(chunk);
      const bytes = received.partialEvent.reduce((sum, { length }) => sum + length, 0);
      if (bytes < (leaving.partialBytes ?? Number.POSITIVE_INFINITY) || done()) return;
      momentReached = true;
      raw.terminate();
    }),
  );
  raw.once('open', () =>
    socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${session.token}` } }),
  );
  raw.on('message', (data) => {
    const text = String(data);
    const message = JSON.parse(text) as Message;
    received.partialEvent = [];
    if (message.type === 'next') {
      received.events++;
      report.events++;
    }
    if (message.type === 'connection_ack')
      for (const [id, fields] of [row, leaving.fields].entries()) socket.subscribe(`${id}`, subscription(fields));
    checkOwners(text);
    const problem = checkMessage(message, tenant, allowed());
    if (problem) reportProblem(problem, text);
  });

  const closed = () => raw.readyState === WebSocket.CLOSED;
  while (!momentReached && !closed() && !done() && performance.now() - start < 1000) {
    await sleep(2);
    momentReached ||= await leaving.isNow(received, target);
  }
  if (closed() && !momentReached) {
    const { code, reason } = await socket.closed;
    const problem = checkClose(code, allowed());
    if (problem) reportProblem(problem, `${code} ${reason}`);
    return;
  }
  raw.terminate();
  await socket.closed;
  checkOwners(Buffer.concat(received.partialEvent).toString('latin1'));
  if (momentReached) report.faults.add(`subscription closed ${leaving.when}`);
}

async function readsSlowly({ db }: Target): Promise<boolean> {
  const running = `select from pg_stat_activity where datname = current_database() and state = 'active'
    and query like '%todos_slowly%' and pid <> pg_backend_pid()`;
  // The database may be unavailable.
  return (await db.asAdmin(running).catch(() => [])).length > 0;
}
