import { randomUUID } from 'node:crypto';
import { shorten } from '../attempt.ts';
import type { Answer } from '../http/post.ts';
import type { AttackContext } from './attackContext.ts';
import { normalize } from './values.ts';

/** What is A's behind the routes beside the API. */
export interface Accounts {
  readonly sessionOfA: string | undefined;
  /** Values of A's account, such as the address. */
  readonly secrets: readonly string[];
}

/** The routes of sign-in, as B: they show nothing of A's, and A's session is none of B's. */
export async function attackRoutes(world: AttackContext, { sessionOfA, secrets }: Accounts): Promise<void> {
  const { client, a, b } = world;
  const note = (attack: string, statement: string, answer: Answer, evidence: string | undefined) =>
    world.report({
      ...{ table: world.tableOf('accounts'), attack, operation: 'other', path: 'http', statement },
      answer: shorten(`${answer.status} ${answer.text}`),
      outcome: evidence ? 'leaked' : 'held',
      ...(evidence && { evidence }),
    });
  for (const path of ['/auth/me', '/auth/sessions', '/auth/export']) {
    const own = await client.send('GET', path, a.token);
    if (own.status !== 200) world.failed(`GET ${path} got ${own.status} for its own user`);
    const answer = await client.send('GET', path, b.token);
    const shown = [...secrets, ...world.canaries.keys()].find((value) =>
      answer.text.includes(JSON.stringify(value).slice(1, -1)),
    );
    note('routes of another', `GET ${path} as B`, answer, shown && `GET ${path} shows B what is A's: ${shown}`);
    const stranger = await client.send('GET', path);
    note(
      'routes as a stranger',
      `GET ${path} without a token`,
      stranger,
      stranger.status === 401 ? undefined : `answered ${stranger.status}`,
    );
  }
  if (sessionOfA === undefined) return;
  const nobodys = randomUUID();
  const ofA = await client.send('DELETE', `/auth/sessions/${sessionOfA}`, b.token);
  const ofNobody = await client.send('DELETE', `/auth/sessions/${nobodys}`, b.token);
  const alive = await client.send('GET', '/auth/me', a.token);
  const plain = ({ status, body }: Answer, id: string) =>
    JSON.stringify([status, normalize(body, [{ name: 'id', value: id }], new Set())]);
  const evidence =
    alive.status !== 200
      ? 'B has ended a session of A’s'
      : plain(ofA, sessionOfA) === plain(ofNobody, nobodys)
        ? undefined
        : `B is answered differently for A’s session (${ofA.status}) than for nobody’s (${ofNobody.status})`;
  note('session of another', `DELETE /auth/sessions/${sessionOfA} as B`, ofA, evidence);
}
