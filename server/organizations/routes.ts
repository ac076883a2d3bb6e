import { type Request, type RequestHandler, Router } from 'express';
import { z } from 'zod';
import type { Actor } from '../auth/audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../auth/context.ts';
import { checkBody, email } from '../auth/input.ts';
import { mailToken } from '../auth/mailer/mailTokens.ts';
import { invitationMessage } from '../auth/mailer/messages.ts';
import { requireMail } from '../auth/mailer/routes.ts';
import { originOf } from '../auth/origin.ts';
import { acceptInvitation, invite, listInvitations, revokeInvitation } from './invitations.ts';
import { changeRole, listMembers, removeMember } from './members.ts';
import { asMember, requireManagerOf, roles } from './membership.ts';
import { createOrganization, deleteOrganization, listOrganizations } from './organizations.ts';

const role = z.enum(roles, { error: `role must be one of ${roles.join(', ')}` });

const newOrganization = z.object({
  name: z
    .string({ error: 'name is needed' })
    .trim()
    // The name is part of messages to people who do not know the organization, so it must not look like a link.
    .regex(
      /^(?=.*[\p{L}\p{N}])(?!.*(:\/\/|www\.))[^\p{C}\p{Zl}\p{Zp}]{1,100}$/iu,
      'name must have 1 to 100 characters, one of them a letter or digit, and neither control characters nor links',
    ),
});
const newInvitation = z.object({ email, role });
const acceptance = z.object({ token: mailToken });
const newRole = z.object({ role });

/** All routes below `/organizations`. The organization is the one in the path. */
export function organizationRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  const { limits, mailer } = context;
  return Router()
    .use(signedIn, (_request, response, next) => {
      // Responses contain data of one organization, so no cache may store them.
      response.set('Cache-Control', 'no-store');
      next();
    })
    .post('/', async (request, response) => {
      const { name } = checkBody(newOrganization, request.body);
      const origin = originOf(request);
      const actor = actorOf(request);
      await limits.count('organization', origin, actor.userId);
      response.status(201).json(await createOrganization(asAccount(context, request), name, origin, actor));
    })
    .get('/', async (request, response) => {
      response.json({ organizations: await listOrganizations(asAccount(context, request, { readOnly: true })) });
    })
    .post('/invitations/accept', async (request, response) => {
      const { token } = checkBody(acceptance, request.body);
      const origin = originOf(request);
      const actor = actorOf(request);
      await limits.count('invitation', origin, actor.userId);
      response.json(await acceptInvitation(asAccount(context, request), token, origin, actor));
    })
    .delete('/:id', async (request, response) => {
      await deleteOrganization(asMember(context, request), request as Request, actorOf(request));
      response.status(204).end();
    })
    .get('/:id/members', async (request, response) => {
      response.json({ members: await listMembers(asMember(context, request, { readOnly: true })) });
    })
    .patch('/:id/members/:userId', async (request, response) => {
      const { role } = checkBody(newRole, request.body);
      const client = asMember(context, request);
      response.json(
        await changeRole(client, request.params.userId.toLowerCase(), role, originOf(request), actorOf(request)),
      );
    })
    .delete('/:id/members/:userId', async (request, response) => {
      const client = asMember(context, request);
      await removeMember(client, request, actorOf(request));
      response.status(204).end();
    })
    .get('/:id/invitations', async (request, response) => {
      response.json({ invitations: await listInvitations(asMember(context, request, { readOnly: true })) });
    })
    .post('/:id/invitations', async (request, response) => {
      const input = checkBody(newInvitation, request.body);
      const origin = originOf(request);
      const actor = actorOf(request);
      const client = asMember(context, request);
      requireMail(mailer.available);
      await requireManagerOf(client);
      await limits.count('invite', origin, actor.userId);
      await limits.count('invited', origin, input.email);
      const { invitation, ...message } = await invite(client, input, origin, actor);
      mailer.post(async () => invitationMessage({ to: invitation.email, appUrl: mailer.appUrl, ...message }));
      response.status(201).json(invitation);
    })
    .delete('/:id/invitations/:invitationId', async (request, response) => {
      const client = asMember(context, request);
      await revokeInvitation(client, request.params.invitationId, originOf(request), actorOf(request));
      response.status(204).end();
    });
}

function actorOf(request: Pick<Request, 'user'>): Actor {
  const { userId, sessionId } = signedInUser(request as Request);
  return { userId, sessionId };
}
