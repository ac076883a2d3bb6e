import type { Express } from 'express';
import { requestTo } from './requestTo.ts';
import { graphql, type Tenant } from './server.ts';

/** The tokens of one session. */
export type Session = Pick<Tenant, 'token' | 'refreshToken'>;

export function send(app: Express, method: 'delete' | 'get' | 'post', path: string, token?: string, body?: object) {
  const request = requestTo(app)[method](path);
  if (token !== undefined) request.auth(token, { type: 'bearer' });
  return request.send(body);
}

/** Signs the tenant in again, which starts a new session. */
export async function signInAgain(app: Express, { email, password }: Tenant): Promise<Session> {
  const { body } = await send(app, 'post', '/auth/login', undefined, { email, password }).expect(200);
  return { token: body.accessToken, refreshToken: body.refreshToken };
}

/** Returns the statuses that an access token gets from `/auth/me` and from the API. */
export async function statuses(app: Express, token: string): Promise<number[]> {
  const answers = await Promise.all([
    send(app, 'get', '/auth/me', token),
    graphql(app, token, '{ currentUser { email } }'),
  ]);
  return answers.map(({ status }) => status);
}

export const alive = [200, 200];
export const ended = [401, 401];
