import { type Operation, shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { AttackContext } from './attackContext.ts';
import type { Member, Question } from './client.ts';
import { decode, normalize, type Sent } from './values.ts';

/** One request as somebody else, and the same with values of nobody's. */
export interface Attack {
  /** The type of the rows that it is about. */
  readonly type: string | undefined;
  readonly attack: string;
  readonly operation: Operation;
  readonly who: Member;
  readonly question: Question;
  /** What of A's stands in the question. */
  readonly sent: readonly Sent[];
  /** The same question with values that nobody has: it must be answered in the same way. */
  readonly twin?: { readonly question: Question; readonly sent: readonly Sent[] };
  /**
   * The value describes a row and names none: what comes of it may differ, and nobody's value may not even be allowed.
   * But A's must not be in conflict where nobody's is taken.
   */
  readonly describes?: boolean;
  /** The request makes a row where a tenant can have but one: the asker's own makes room first. */
  readonly room?: boolean;
  /** What is wrong with the data, where more is known of them. */
  check?(data: Record<string, unknown>): string | undefined;
}

/** Headers that say nothing of the answer, or its length. */
const incidental = new Set(['date', 'x-request-id', 'content-length', 'keep-alive', 'connection', 'etag']);

/** Sends the request and its twin, and reports what came of it. */
export async function carryOut(world: AttackContext, attack: Attack): Promise<void> {
  const { client, watch, a } = world;
  if (attack.room) await watch.makeRoom(attack.who, attack.type);
  const answer = await client.ask(attack.who, attack.question);
  const changed = await watch.changeOf(a);
  await watch.restore();
  complainOfFailure(world, attack, answer);
  let evidence = changed && `${attack.who.name} changed what is A's: ${changed}`;
  evidence ??= shownIn(world, attack, answer);
  evidence ??= answer.body?.data ? attack.check?.(answer.body.data) : undefined;
  evidence ??= await comparePair(world, attack, answer);
  world.report({
    table: world.tableOf(attack.type),
    ...{ attack: attack.attack, operation: attack.operation, path: 'http' },
    statement: asText(attack.question),
    answer: shorten(`${answer.status} ${answer.text}`),
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence: shorten(evidence, 1000) }),
  });
}

async function comparePair(world: AttackContext, attack: Attack, answer: Answer): Promise<string | undefined> {
  const { who, question, twin } = attack;
  if (!twin) return undefined;
  if (asText(twin.question) === asText(question)) return undefined;
  if (attack.room) await world.watch.makeRoom(who, attack.type);
  const other = await world.client.ask(who, twin.question);
  if (attack.operation !== 'select') await world.watch.restore();
  const compare = attack.describes ? refusalOf : comparable;
  const ofA = compare(answer, attack.sent, world);
  const ofNobody = compare(other, twin.sent, world);
  if (ofA === ofNobody || ofA === accepted) return undefined;
  // Two values of one row may not go together, whosever they are.
  if (attack.describes && (ofNobody !== accepted || isAboutInput(answer))) return undefined;
  const told =
    answer.text === other.text ? [ofA, ofNobody] : [answer, other].map(({ status, text }) => `${status} ${text}`);
  return (
    `${who.name} is answered differently for what A has than for what nobody has. For A's: ${shorten(told[0] ?? '')} ` +
    `For nobody's, ${shorten(JSON.stringify(twin.question.variables ?? twin.question.document))}: ${shorten(told[1] ?? '')}`
  );
}

/** A value of A's in the answer that was not in the question. */
function shownIn({ canaries }: AttackContext, { who, question }: Attack, { text }: Answer): string | undefined {
  const asked = asText(question);
  for (const [value, name] of canaries) {
    const json = JSON.stringify(value).slice(1, -1);
    // A node id says no more than the key in it.
    const known =
      asked.includes(json) ||
      decode(value)
        ?.slice(1)
        .every((part) => asked.includes(String(part)));
    if (!known && text.includes(json)) return `${who.name} was shown what is A's: ${name}, ${shorten(value, 100)}`;
  }
  return undefined;
}

function complainOfFailure(world: AttackContext, { attack, question }: Attack, { status, text, body }: Answer): void {
  const internal = body?.errors?.some(({ extensions }) => extensions?.code === 'INTERNAL');
  if (status < 500 && !internal) return;
  const [alias = ''] = Object.keys(body?.data ?? {});
  const field = new RegExp(`\\b${alias}: (\\w+)`).exec(question.document)?.[1] ?? alias;
  world.failed(`${attack}: ${shorten(asText(question))} got ${status} ${shorten(text)}`, field);
}

/** What was sent, without a token. */
export function asText({ document, variables, headers }: Question): string {
  const parts = [document, variables && JSON.stringify(variables), headers && JSON.stringify(headers)];
  return parts.filter((part) => part !== undefined).join(' ');
}

const accepted = 'accepted';

const isAboutInput = ({ body }: Answer) =>
  body?.errors?.every(({ extensions }) => extensions?.code === 'BAD_USER_INPUT') ?? false;

function refusalOf(answer: Answer, sent: readonly Sent[], world: AttackContext): string {
  if (!answer.body?.errors) return accepted;
  return comparable(answer, sent, world);
}

function comparable({ status, headers, body, text }: Answer, sent: readonly Sent[], { own }: AttackContext): string {
  const kept = Object.entries(headers).filter(([name]) => !incidental.has(name));
  return JSON.stringify([status, body === undefined ? text : normalize(body, sent, own), kept.sort()]);
}
