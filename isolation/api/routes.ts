import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { AttackContext } from './attackContext.ts';
import { normalize } from './values.ts';

/** A's account data behind the routes outside the GraphQL API. */
export interface Accounts {
  readonly sessionOfA: string | undefined;
  /** Values of A's account, such as the email address. */
  readonly secrets: readonly string[];
}

/** Attacks the auth routes as B. They must not show A's data, and B must not end A's sessions. */
export async function attackRoutes(context: AttackContext, { sessionOfA, secrets }: Accounts): Promise<void> {
  const { client, a, b } = context;
  const report = (attack: string, statement: string, answer: Answer, evidence: string | undefined) =>
    context.report({
      table: context.tableOf('accounts'),
      attack,
      operation: 'other',
      path: 'http',
      statement,
      answer: shorten(`${answer.status} ${answer.text}`),
      outcome: evidence ? 'leaked' : 'held',
      ...(evidence && { evidence }),
    });
  for (const path of ['/auth/me', '/auth/sessions', '/auth/export']) {
    const own = await client.send('GET', path, a.token);
    if (own.status !== 200) context.failed(`GET ${path} answered ${own.status} to its own user`);
    const answer = await client.send('GET', path, b.token);
    const shown = [...secrets, ...context.canaries.keys()].find((value) =>
      answer.text.includes(JSON.stringify(value).slice(1, -1)),
    );
    report(
      'routes of another tenant',
      `GET ${path} as B`,
      answer,
      shown && `GET ${path} shows B a value of A's: ${shown}`,
    );
    const unauthenticated = await client.send('GET', path);
    report(
      'routes without a token',
      `GET ${path} without a token`,
      unauthenticated,
      unauthenticated.status === 401 ? undefined : `answered ${unauthenticated.status}`,
    );
  }
  if (sessionOfA === undefined) return;
  const unknownId = randomUUID();
  const ofA = await client.send('DELETE', `/auth/sessions/${sessionOfA}`, b.token);
  const unknown = await client.send('DELETE', `/auth/sessions/${unknownId}`, b.token);
  const alive = await client.send('GET', '/auth/me', a.token);
  const comparable = ({ status, body }: Answer, id: string) =>
    JSON.stringify([status, normalize(body, [{ name: 'id', value: id }], new Set())]);
  const evidence =
    alive.status !== 200
      ? 'B ended A’s session'
      : comparable(ofA, sessionOfA) === comparable(unknown, unknownId)
        ? undefined
        : `B gets a different answer for A’s session (${ofA.status}) than for an unknown one (${unknown.status})`;
  report('session of another tenant', `DELETE /auth/sessions/${sessionOfA} as B`, ofA, evidence);
}
