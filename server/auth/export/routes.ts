import { type RequestHandler, Router } from 'express';
import { Problem } from '../../http/problem.ts';
import type { Transaction } from '../../tenancy/tenantDatabase.ts';
import { actForHeader } from '../actFor.ts';
import { audit } from '../audit.ts';
import { type AuthContext, asAccount, signedInUser } from '../context.ts';
import { originOf } from '../origin.ts';
import { readableTables } from './tables.ts';
import { writeTables } from './writeTables.ts';

/** The time limit of one export, in seconds. */
const timeLimit = 300;

/**
 * The route that downloads all rows of the signed-in user as a JSON file, or those of the organization that the request acts
 * for.
 */
export function exportRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  const running = new Set<string>();
  return Router().get('/export', signedIn, actForHeader, async (request, response) => {
    const { identity, userId, sessionId, organizationId } = signedInUser(request);
    const owner = organizationId === undefined ? 'user' : 'organization';
    if (running.has(userId)) {
      throw new Problem(429, 'Another export of this account is running. Wait for it to end.', {
        headers: { 'Retry-After': '10' },
      });
    }
    if (running.size >= context.database.exports) {
      throw new Problem(503, 'Too many exports are running right now. Try again shortly.', {
        headers: { 'Retry-After': '10' },
      });
    }
    running.add(userId);
    try {
      // An export runs for a long time. It gives up its turn, so that it delays no short request.
      request.turn?.sending();
      const { cancellation } = request;
      const origin = originOf(request);
      await context.limits.count('export', origin, userId);
      await asAccount(context, request).transaction(async (transaction) => {
        if (owner === 'organization') await requireOwnerRole(transaction);
        const event = owner === 'user' ? 'account_exported' : 'organization_exported';
        await transaction.query(audit(event, origin, { userId, sessionId, organizationId }));
      });
      cancellation.expireIn(timeLimit);
      await context.database.as(identity, { cancellation, readOnly: true }).transaction(
        async (transaction) => {
          const tables = await readableTables(transaction, owner);
          response.type('json').set('Content-Disposition', 'attachment; filename="hedgerow-export.json"');
          await writeTables(transaction, tables, owner, response);
        },
        { snapshot: true },
      );
      response.end();
    } finally {
      running.delete(userId);
    }
  });
}

/** @throws Problem 403 unless the user is an owner of the transaction's organization. */
async function requireOwnerRole({ query }: Transaction): Promise<void> {
  const { rows } = await query<{ isOwner: boolean }>({
    name: 'is_owner',
    text: `select app_public.current_member_role() = 'owner' as "isOwner"`,
  });
  if (!rows[0]?.isOwner) throw new Problem(403, 'Only owners export an organization.');
}
