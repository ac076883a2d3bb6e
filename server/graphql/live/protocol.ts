import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerOptions } from 'graphql-ws';
import { type GrafservBase, makeGraphQLWSConfig } from 'postgraphile/grafserv';
import { type ExecutionResult, GraphQLError, getOperationAST } from 'postgraphile/graphql';
import { CancelledError } from '../../../postgres/cancellation.ts';
import { isUnavailable } from '../../../postgres/connectionErrors.ts';
import { actFor } from '../../auth/actFor.ts';
import type { Admission } from '../../tenancy/admission.ts';
import { IdentityRefusedError, MembershipRefusedError } from '../../tenancy/identity.ts';
import type { SqlRunner } from '../../tenancy/tenantDatabase.ts';
import { byteLimits, eventTooLarge } from '../complexity/complexity.ts';
import { fits } from '../output/answer.ts';
import { closing, LiveConnection, type LiveUser } from './connection.ts';
import type { Feed } from './feed.ts';
import type { LiveHub } from './hub.ts';
import { rootFieldProblem } from './rootField.ts';
import type { Extra } from './sockets.ts';

/** Active subscriptions of a socket, at most. */
const subscriptionsPerSocket = 20;

/** Milliseconds that a client waits until the server receives the notifications of its user, and of its organization. */
const listenTimeout = 5000;

/** Verifies `Bearer <token>`. Returns undefined if the token is missing, invalid or expired. */
export type Authenticate = (authorization: string) => Promise<LiveUser | undefined>;

interface Parts {
  readonly server: GrafservBase;
  readonly hub: LiveHub;
  readonly database: SqlRunner;
  readonly admission: Admission;
  readonly authenticate: Authenticate;
}

type Protocol = ServerOptions<Record<string, unknown>, Extra>;
type Results = AsyncGenerator<ExecutionResult, void, void>;

/** Implements the protocol of a socket: it signs in with its first message, and subscribes. Other operations use HTTP. */
export function liveProtocol({ server, hub, database, admission, authenticate }: Parts): Protocol {
  const grafserv = makeGraphQLWSConfig(server) as unknown as Protocol;
  return {
    ...grafserv,
    async onConnect({ connectionParams, extra }) {
      const { socket, request } = extra;
      const user = actingFor(await authenticate(authorizationIn(connectionParams)), connectionParams);
      // Returning false closes the socket with 4403, Forbidden.
      if (!user || socket.readyState !== socket.OPEN) return false;
      const connection = new LiveConnection(user, { database, admission }, (code, reason) =>
        socket.close(code, reason),
      );
      const listening = hub.admit(request, connection);
      if (!listening) {
        connection.dispose();
        socket.close(...closing.tooMany);
        return false;
      }
      extra.tenant = user.userId;
      extra.leave = () => {
        hub.leave(connection);
        connection.dispose();
      };
      try {
        await inTime(listening);
        // Check after the listener is active. It reports any session that ends after the check.
        await connection.check();
        if (user.organizationId === undefined) return true;
        // The first check has shown that the user is a member. The second finds a membership that has ended meanwhile.
        await inTime(hub.join(connection));
        await connection.check();
        return true;
      } catch (error) {
        if (error instanceof TooLateError || isUnavailable(error)) connection.close('unavailable');
        // Without a membership the socket is refused like one without a token.
        else if (error instanceof MembershipRefusedError || error instanceof CancelledError) return false;
        else if (error instanceof IdentityRefusedError) connection.closeRefused(error);
        else throw error;
        return false;
      }
    },
    async onSubscribe(context, id, payload) {
      if (Object.keys(context.subscriptions).length > subscriptionsPerSocket) {
        const message = `A socket may have at most ${subscriptionsPerSocket} active subscriptions.`;
        return [new GraphQLError(message, { extensions: { code: 'TOO_COMPLEX' } })];
      }
      const connection = hub.connectionOf(context.extra.request);
      const subscription = await connection?.inTurn(() => grafserv.onSubscribe?.(context, id, payload));
      if (!subscription || Array.isArray(subscription)) return subscription;
      const { document, operationName } = subscription as Exclude<typeof subscription, readonly GraphQLError[]>;
      const operation = getOperationAST(document, operationName);
      if (operation?.operation !== 'subscription') {
        return [new GraphQLError('A WebSocket runs subscriptions only. Send other operations with POST.')];
      }
      const problem = rootFieldProblem(operation, document);
      return problem === undefined ? subscription : [new GraphQLError(problem)];
    },
    async subscribe(args) {
      const { connection, feed } = (args.contextValue as LiveContext).live;
      const results = await connection.inTurn(() => grafserv.subscribe?.(args));
      const isStream = results && Symbol.asyncIterator in results;
      return (isStream ? paced(results as Results, feed, connection) : results) as never;
    },
  };

  /**
   * Reads each result from Grafast only after the client has taken the previous one. If the database is unavailable, it
   * holds the event and reads its row again later.
   */
  function paced(results: Results, feed: () => Feed | undefined, connection: LiveConnection): Results {
    const paced = {
      async next() {
        for (;;) {
          feed()?.sent();
          const result = await results.next();
          if (result.done) return result;
          const { errors = [] } = result.value;
          const causes = errors.map(({ originalError }) => originalError);
          const refusal = causes.find((cause) => cause instanceof IdentityRefusedError);
          if (refusal) {
            connection.closeRefused(refusal);
            return results.return();
          }
          if (causes.some(isUnavailable)) {
            feed()?.hold();
            if (await connection.isBack()) continue;
            return results.return();
          }
          if (!(await fits(result.value, connection, byteLimits.event))) {
            feed()?.resync();
            return { done: false, value: { errors: [eventTooLarge()] } };
          }
          // The client does not get the row of a failed read. A RESYNC makes it read again.
          if (errors.length > 0) feed()?.resync();
          hub.delivered++;
          return result;
        }
      },
      return: () => results.return(),
      throw: (error: unknown) => results.throw(error),
      [Symbol.asyncIterator]: () => paced,
    };
    return paced as Results;
  }
}

/** The context of a subscription's steps. */
export interface LiveContext {
  readonly live: {
    readonly connection: LiveConnection;
    feed(): Feed | undefined;
    /** Opens the feed. Grafast's `listen()` calls it. */
    subscribe(table: string): Feed;
  };
}

/** Creates the context of one operation on `connection`. */
export function liveContext(connection: LiveConnection): LiveContext {
  let feed: Feed | undefined;
  return {
    live: {
      connection,
      feed: () => feed,
      subscribe: (table) => {
        feed = connection.open(table);
        return feed;
      },
    },
  };
}

/** The server does not receive the notifications yet. */
class TooLateError extends Error {}

async function inTime(listening: Promise<void>): Promise<void> {
  const tooLate = sleep(listenTimeout, 'too late', { ref: false });
  if ((await Promise.race([listening, tooLate])) === 'too late') throw new TooLateError();
}

/** Returns the user as a member of the organization that the first message names; the user itself if it names none. */
function actingFor(user: LiveUser | undefined, params: Readonly<Record<string, unknown>> = {}): LiveUser | undefined {
  const { organizationId } = params;
  if (!user || organizationId === undefined || organizationId === null) return user;
  return actFor(user, String(organizationId));
}

function authorizationIn(params: Readonly<Record<string, unknown>> | undefined): string {
  const authorization = params?.authorization ?? params?.Authorization;
  return typeof authorization === 'string' ? authorization : '';
}
