import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { shorten } from '../attempt.ts';
import { compact, forgeries, type Signer } from '../http/forgery.ts';
import type { Answer } from '../http/post.ts';
import { asText } from './attack.ts';
import type { AttackContext } from './attackContext.ts';
import type { ApiActor, GraphQLRequest } from './client.ts';
import { operationOf, type TriedField } from './fields.ts';
import { entryFields } from './rows.ts';
import { select } from './schema.ts';
import { createRequest } from './validArguments.ts';

/** Users whose tokens are no longer valid, and material for forged tokens. */
export interface RevokedActors {
  /** Users with invalid tokens; their names say why the tokens are invalid. */
  readonly actors: readonly ApiActor[];
  /** Signs with the server's key, if the key is known. */
  readonly signer: Signer | undefined;
  /** The id of B's session. */
  readonly sessionOfB: string | undefined;
}

/** Sends A's working requests without a token and with invalid tokens. */
export async function attackUnauthenticated(
  context: AttackContext,
  tried: readonly TriedField[],
  { actors }: Pick<RevokedActors, 'actors'>,
): Promise<void> {
  const unauthenticated: ApiActor = { name: 'an unauthenticated client' };
  for (const { root, forA } of tried) {
    const request = createRequest(root, context.api.rows, forA);
    for (const actor of [unauthenticated, ...actors]) {
      await expectRefusal(context, actor, request, {
        type: root.entity?.name ?? root.field.name,
        attack: actor.name,
        operation: operationOf(root),
      });
    }
  }
}

/** Reads up to ten lists with each forged token. */
export async function attackWithForgeries(context: AttackContext, revokedActors: RevokedActors): Promise<void> {
  const all = entryFields(context.api)
    .slice(0, 10)
    .map(({ field }) => `${field.name} ${select(field.type, context.api.rows)}`);
  const request = { document: `{ ${all.join(' ')} }` };
  for (const [what, token] of forged(context.a.token ?? '', revokedActors)) {
    await expectRefusal(context, { name: `a token with ${what}`, token }, request, {
      type: 'tokens',
      attack: 'forged token',
      operation: 'select',
    });
  }
}

type About = { readonly type: string; readonly attack: string; readonly operation: ReturnType<typeof operationOf> };

async function expectRefusal(
  context: AttackContext,
  actor: ApiActor,
  request: GraphQLRequest,
  about: About,
): Promise<void> {
  const answer = await context.client.ask(actor, request);
  const changed = await context.watch.changeOf(context.a);
  await context.watch.restore();
  const evidence = changed ? `${actor.name} changed A's rows: ${changed}` : findAnsweredData(actor, answer);
  context.report({
    table: context.tableOf(about.type),
    attack: about.attack,
    operation: about.operation,
    path: 'http',
    statement: `${actor.name}: ${asText(request)}`,
    answer: shorten(`${answer.status} ${answer.text}`),
    outcome: evidence ? 'leaked' : 'held',
    ...(evidence && { evidence }),
  });
}

/** Finds data in the answer. An answer without data is fine, because some requests need no database. */
function findAnsweredData({ name }: ApiActor, { status, body, text }: Answer): string | undefined {
  const data = Object.values(body?.data ?? {}).some((value) => value !== null);
  return data ? `${name} was not refused: status ${status}, ${shorten(text)}` : undefined;
}

function forged(token: string, { signer, sessionOfB }: RevokedActors): (readonly [string, string])[] {
  const decoded = jwt.decode(token, { complete: true });
  if (!decoded) return [];
  const { header, payload } = decoded;
  const claims = payload as jwt.JwtPayload;
  const input = { token, header, claims, signer: signer ?? (() => Buffer.from('garbage')) };
  const made = forgeries.map(([what, forge]) => [what, forge(input)] as const);
  // An HTTP header cannot contain every character, so HTTP itself refuses the other tokens.
  const sendable = made.filter(([, text]) => /^[\x21-\x7e]+$/.test(text));
  if (!signer) return sendable;
  const signed = (what: string, change: object) => [what, compact(header, { ...claims, ...change }, signer)] as const;
  return [
    ...sendable,
    signed('B’s session and A’s id', { sid: sessionOfB }),
    signed('an unknown session', { sid: randomUUID() }),
    signed('A’s session and an unknown id', { sub: randomUUID() }),
  ];
}
