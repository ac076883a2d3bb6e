import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Express } from 'express';
import type supertest from 'supertest';
import type { Role } from '../../server/organizations/membership.ts';
import type { TestDatabase } from './database.ts';
import { graphql, type Tenant } from './server.ts';
import { begin, Socket } from './socket.ts';

/** Creates an organization with members directly in the database. @returns its id. */
export async function createOrganization(
  db: TestDatabase,
  name: string,
  members: readonly (readonly [Tenant, Role])[],
): Promise<string> {
  const id = randomUUID();
  await db.asAdmin('insert into app_public.organizations (id, name) values ($1, $2)', [id, name]);
  for (const [tenant, role] of members) await addMember(db, id, tenant, role);
  return id;
}

export async function addMember(db: TestDatabase, organization: string, { id }: Tenant, role: Role): Promise<void> {
  await db.asAdmin(
    `insert into app_public.organization_members (organization_id, user_id, username, role)
      select $1, id, username, $3 from app_public.users where id = $2`,
    [organization, id, role],
  );
}

export async function removeMember(db: TestDatabase, organization: string, { id }: Tenant): Promise<void> {
  const text = 'delete from app_public.organization_members where organization_id = $1 and user_id = $2';
  await db.asAdmin(text, [organization, id]);
}

/** Sends a document as a member of an organization. */
export function graphqlIn(
  app: Express,
  organization: string,
  { token }: Tenant,
  query: string,
  variables?: Record<string, unknown>,
): supertest.Test {
  return graphql(app, token, query, variables).set('X-Organization-Id', organization);
}

/** Opens a socket for an organization, without waiting for an acknowledgment. */
export async function greetIn(url: string, organizationId: unknown, { token }: Tenant): Promise<Socket> {
  const socket = new Socket(url);
  await once(socket.raw, 'open');
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}`, organizationId } });
  return socket;
}

/** Opens a socket for an organization and starts subscriptions. @throws Error if the server does not acknowledge it. */
export async function subscribedIn(
  url: string,
  organizationId: string,
  tenant: Tenant,
  ...documents: string[]
): Promise<Socket> {
  const socket = await greetIn(url, organizationId, tenant);
  const { type } = await socket.next();
  if (type !== 'connection_ack') throw new Error(type);
  for (const document of documents) await begin(socket, document);
  return socket;
}
