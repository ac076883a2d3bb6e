import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { shorten } from '../attempt.ts';
import { compact, forgeries, type Signer } from '../http/forgery.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { Member, Question } from './client.ts';
import { operationOf, type Tried } from './fields.ts';
import { entrances } from './rows.ts';
import { select } from './schema.ts';
import { questionOf } from './validArguments.ts';

/** Those who were somebody once, or never were. */
export interface RevokedActors {
  /** Members with tokens that are good for nothing, by what is wrong with them. */
  readonly members: readonly Member[];
  /** Signs as the server does, where its key is known. */
  readonly signer: Signer | undefined;
  /** A session of B's. */
  readonly sessionOfB: string | undefined;
}

/** Asks for what works for A without a token, and with tokens that are good for nothing. */
export async function attackUnauthenticated(
  world: AttackContext,
  tried: readonly Tried[],
  { members }: Pick<RevokedActors, 'members'>,
): Promise<void> {
  const stranger: Member = { name: 'a stranger' };
  for (const { root, forA } of tried) {
    const question = questionOf(root, world.api.rows, forA);
    for (const who of [stranger, ...members]) {
      await refused(world, who, question, {
        type: root.entity?.name ?? root.field.name,
        attack: who.name,
        operation: operationOf(root),
      });
    }
  }
}

/** Asks for everything with each forged token. */
export async function attackWithForgeries(world: AttackContext, revokedActors: RevokedActors): Promise<void> {
  const all = entrances(world.api)
    .slice(0, 10)
    .map(({ field }) => `${field.name} ${select(field.type, world.api.rows)}`);
  const question = { document: `{ ${all.join(' ')} }` };
  for (const [what, token] of forged(world.a.token ?? '', revokedActors)) {
    await refused(world, { name: `a token with ${what}`, token }, question, {
      type: 'tokens',
      attack: 'forged token',
      operation: 'select',
    });
  }
}

type About = { readonly type: string; readonly attack: string; readonly operation: ReturnType<typeof operationOf> };

async function refused(world: AttackContext, who: Member, question: Question, about: About): Promise<void> {
  const answer = await world.client.ask(who, question);
  const changed = await world.watch.changeOf(world.a);
  await world.watch.restore();
  const evidence = changed ? `${who.name} changed what is A's: ${changed}` : takenIn(who, answer);
  world.report({
    table: world.tableOf(about.type),
    ...{
      attack: about.attack,
      operation: about.operation,
      path: 'http',
      statement: `${who.name}: ${asText(question)}`,
    },
    answer: shorten(`${answer.status} ${answer.text}`),
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence }),
  });
}

/** Refused, or answered with nothing where there was nothing to ask the database for. */
function takenIn({ name }: Member, { status, body, text }: Answer): string | undefined {
  const data = Object.values(body?.data ?? {}).some((value) => value !== null);
  return data ? `${name} was not refused, but answered ${status}: ${shorten(text)}` : undefined;
}

function forged(token: string, { signer, sessionOfB }: RevokedActors): (readonly [string, string])[] {
  const decoded = jwt.decode(token, { complete: true });
  if (!decoded) return [];
  const { header, payload } = decoded;
  const claims = payload as jwt.JwtPayload;
  const loot = { token, header, claims, signer: signer ?? (() => Buffer.from('garbage')) };
  const made = forgeries.map(([what, forge]) => [what, forge(loot)] as const);
  // A header cannot hold everything; what it cannot hold is refused by HTTP itself.
  const sendable = made.filter(([, text]) => /^[\x21-\x7e]+$/.test(text));
  if (!signer) return sendable;
  const signed = (what: string, change: object) => [what, compact(header, { ...claims, ...change }, signer)] as const;
  return [
    ...sendable,
    signed('B’s session and A’s id', { sid: sessionOfB }),
    signed('a session of nobody’s', { sid: randomUUID() }),
    signed('A’s session and an id of nobody’s', { sub: randomUUID() }),
  ];
}
