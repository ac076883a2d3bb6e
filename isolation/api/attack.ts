import { type Operation, shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { AttackContext } from './attackContext.ts';
import type { ApiActor, GraphQLRequest } from './client.ts';
import { decode, normalize, type Sent } from './values.ts';

/** An attacker's request, and the same request with values that no tenant has. */
export interface Attack {
  /** The type of the affected rows. */
  readonly type: string | undefined;
  readonly attack: string;
  readonly operation: Operation;
  readonly actor: ApiActor;
  readonly request: GraphQLRequest;
  /** A's values in the request. */
  readonly sent: readonly Sent[];
  /** The same request with values that no tenant has. It must get an equal answer. */
  readonly paired?: { readonly request: GraphQLRequest; readonly sent: readonly Sent[] };
  /**
   * Whether the value describes a row instead of identifying one. The results may then differ, and the unused value may
   * even be invalid. But A's value must not conflict if the unused value is accepted.
   */
  readonly describes?: boolean;
  /** Whether a tenant can have only one row of this type. The actor's own row is then deleted first. */
  readonly needsRoom?: boolean;
  /** Checks the data further; returns a sentence for a leak. */
  check?(data: Record<string, unknown>): string | undefined;
}

/** Headers that do not depend on the content of the answer, or only on its length. */
const incidental = new Set(['date', 'x-request-id', 'content-length', 'keep-alive', 'connection', 'etag']);

/** Sends the request and its paired request, and reports the outcome. */
export async function runAttack(context: AttackContext, attack: Attack): Promise<void> {
  const { client, watch, a } = context;
  if (attack.needsRoom) await watch.makeRoom(attack.actor, attack.type);
  const answer = await client.ask(attack.actor, attack.request);
  const changed = await watch.changeOf(a);
  await watch.restore();
  reportFailure(context, attack, answer);
  let evidence = changed && `${attack.actor.name} changed A's rows: ${changed}`;
  evidence ??= findExposedValue(context, attack, answer);
  evidence ??= answer.body?.data ? attack.check?.(answer.body.data) : undefined;
  evidence ??= await comparePair(context, attack, answer);
  context.report({
    table: context.tableOf(attack.type),
    attack: attack.attack,
    operation: attack.operation,
    path: 'http',
    statement: asText(attack.request),
    answer: shorten(`${answer.status} ${answer.text}`),
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence: shorten(evidence, 1000) }),
  });
}

async function comparePair(context: AttackContext, attack: Attack, answer: Answer): Promise<string | undefined> {
  const { actor, request, paired } = attack;
  if (!paired) return undefined;
  if (asText(paired.request) === asText(request)) return undefined;
  if (attack.needsRoom) await context.watch.makeRoom(actor, attack.type);
  const other = await context.client.ask(actor, paired.request);
  if (attack.operation !== 'select') await context.watch.restore();
  const compare = attack.describes ? refusalOf : comparable;
  const ofA = compare(answer, attack.sent, context);
  const ofUnused = compare(other, paired.sent, context);
  if (ofA === ofUnused || ofA === accepted) return undefined;
  // Two values may be an invalid combination in one row, regardless of their owner.
  if (attack.describes && (ofUnused !== accepted || isAboutInput(answer))) return undefined;
  const shown =
    answer.text === other.text ? [ofA, ofUnused] : [answer, other].map(({ status, text }) => `${status} ${text}`);
  return (
    `${actor.name} gets a different answer for A's values than for values that no tenant has. For A's values: ${shorten(shown[0] ?? '')} ` +
    `For the values ${shorten(JSON.stringify(paired.request.variables ?? paired.request.document))}: ${shorten(shown[1] ?? '')}`
  );
}

/** Finds a value of A's in the answer that the request did not contain. */
function findExposedValue(
  { canaries }: AttackContext,
  { actor, request }: Attack,
  { text }: Answer,
): string | undefined {
  const sentText = asText(request);
  for (const [value, name] of canaries) {
    const json = JSON.stringify(value).slice(1, -1);
    // A node id reveals no more than the key in it.
    const known =
      sentText.includes(json) ||
      decode(value)
        ?.slice(1)
        .every((part) => sentText.includes(String(part)));
    if (!known && text.includes(json)) return `${actor.name} was shown a value of A's: ${name}, ${shorten(value, 100)}`;
  }
  return undefined;
}

function reportFailure(context: AttackContext, { attack, request }: Attack, { status, text, body }: Answer): void {
  const internal = body?.errors?.some(({ extensions }) => extensions?.code === 'INTERNAL');
  if (status < 500 && !internal) return;
  const [alias = ''] = Object.keys(body?.data ?? {});
  const field = new RegExp(`\\b${alias}: (\\w+)`).exec(request.document)?.[1] ?? alias;
  context.failed(`${attack}: ${shorten(asText(request))} got ${status} ${shorten(text)}`, field);
}

/** The request as text for the report, without the token. */
export function asText({ document, variables, headers }: GraphQLRequest): string {
  const parts = [document, variables && JSON.stringify(variables), headers && JSON.stringify(headers)];
  return parts.filter((part) => part !== undefined).join(' ');
}

const accepted = 'accepted';

const isAboutInput = ({ body }: Answer) =>
  body?.errors?.every(({ extensions }) => extensions?.code === 'BAD_USER_INPUT') ?? false;

function refusalOf(answer: Answer, sent: readonly Sent[], context: AttackContext): string {
  if (!answer.body?.errors) return accepted;
  return comparable(answer, sent, context);
}

function comparable(
  { status, headers, body, text }: Answer,
  sent: readonly Sent[],
  { ownValues: own }: AttackContext,
): string {
  const kept = Object.entries(headers).filter(([name]) => !incidental.has(name));
  return JSON.stringify([status, body === undefined ? text : normalize(body, sent, own), kept.sort()]);
}
