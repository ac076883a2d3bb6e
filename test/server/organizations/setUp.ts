import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import type supertest from 'supertest';
import type { Role } from '../../../server/organizations/membership.ts';
import { requestTo } from '../../support/requestTo.ts';
import { signUp, startTestServer, type Tenant, type TestServer } from '../../support/server.ts';
import { type MailServer, startMailServer, tokenIn } from '../../support/smtp.ts';

/** A server that sends mail, and shortcuts for the routes of organizations. */
export interface Organizations {
  readonly server: TestServer;
  readonly mail: MailServer;
  /** Registers a user whose first message has been read. */
  user(name: string): Promise<Tenant>;
  /** Creates an organization. @returns its id. */
  create(owner: Tenant, name?: string): Promise<string>;
  /** Invites `invited`. @returns the token in the message. */
  invite(inviter: Tenant, organization: string, invited: Tenant, role?: Role): Promise<string>;
  /** Invites a user, who accepts. */
  join(inviter: Tenant, organization: string, joining: Tenant, role?: Role): Promise<void>;
  /** Sends a request as `user`. */
  send(user: Tenant, method: Method, path: string, body?: object): supertest.Test;
  /** Sends a GraphQL document as `user`, acting for `organization`. */
  graphql(
    user: Tenant,
    organization: string | undefined,
    query: string,
    variables?: Record<string, unknown>,
  ): supertest.Test;
  /** Waits until so many statements wait for a lock. */
  waiting(count: number): Promise<void>;
  close(): Promise<void>;
}

type Method = 'delete' | 'get' | 'patch' | 'post';

export async function startOrganizations(): Promise<Organizations> {
  const mail = await startMailServer();
  const server = await startTestServer({
    mail: { smtpUrl: `smtp://127.0.0.1:${mail.port}`, appUrl: 'https://app.example.com' },
  });
  const { app } = server;
  const send: Organizations['send'] = (user, method, path, body) => as(app, user, method, path).send(body);
  const invite: Organizations['invite'] = async (inviter, organization, { email }, role = 'member') => {
    await send(inviter, 'post', `/organizations/${organization}/invitations`, { email, role }).expect(201);
    return tokenIn(await mail.mailTo(email));
  };
  return {
    server,
    mail,
    send,
    invite,
    async user(name) {
      const user = await signUp(app, name);
      await mail.mailTo(user.email);
      return user;
    },
    async create(owner, name = 'Acme') {
      const { body } = await send(owner, 'post', '/organizations', { name }).expect(201);
      return body.id;
    },
    async join(inviter, organization, joining, role) {
      const token = await invite(inviter, organization, joining, role);
      await send(joining, 'post', '/organizations/invitations/accept', { token }).expect(200);
    },
    graphql: (user, organization, query, variables) => {
      const request = as(app, user, 'post', '/graphql');
      if (organization !== undefined) request.set('X-Organization-Id', organization);
      return request.send({ query, variables });
    },
    async waiting(count) {
      const text = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      while ((await server.db.asAdmin(text)).length < count) await sleep(10);
    },
    async close() {
      await server.close();
      await mail.close();
    },
  };
}

const as = (app: Express, { token }: Tenant, method: Method, path: string) =>
  requestTo(app)[method](path).auth(token, { type: 'bearer' });
