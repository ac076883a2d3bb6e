import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerOptions } from 'graphql-ws';
import { type GrafservBase, makeGraphQLWSConfig } from 'postgraphile/grafserv';
import { type ExecutionResult, GraphQLError, getOperationAST } from 'postgraphile/graphql';
import { CancelledError } from '../../../postgres/cancellation.ts';
import { isUnavailable } from '../../../postgres/connectionErrors.ts';
import type { Admission } from '../../tenancy/admission.ts';
import { IdentityRefusedError, type SqlRunner } from '../../tenancy/tenantDatabase.ts';
import { byteLimits, eventTooLarge } from '../complexity/complexity.ts';
import { fits } from '../output/answer.ts';
import { closing, LiveConnection, type LiveUser } from './connection.ts';
import type { Feed } from './feed.ts';
import type { LiveHub } from './hub.ts';
import { rootFieldProblem } from './rootField.ts';
import type { Extra } from './sockets.ts';

/** Subscriptions that a socket may have under way. */
const subscriptionsPerSocket = 20;

/** Milliseconds that a client waits for the database to be heard. */
const listenTime = 5000;

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

/** What a socket may do: sign in with its first message, and subscribe. Everything else has HTTP. */
export function liveProtocol({ server, hub, database, admission, authenticate }: Parts): Protocol {
  const grafserv = makeGraphQLWSConfig(server) as unknown as Protocol;
  return {
    ...grafserv,
    async onConnect({ connectionParams, extra }) {
      const { socket, request } = extra;
      const user = await authenticate(authorizationIn(connectionParams));
      // False is the protocol's 4403, Forbidden.
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
        const tooLate = sleep(listenTime, 'too late', { ref: false });
        if ((await Promise.race([listening, tooLate])) === 'too late') {
          connection.close('unavailable');
          return false;
        }
        // After it listens: a session that ends from here on is heard of.
        await connection.check();
        return true;
      } catch (error) {
        if (isUnavailable(error)) connection.close('unavailable');
        else if (!(error instanceof IdentityRefusedError || error instanceof CancelledError)) throw error;
        return false;
      }
    },
    async onSubscribe(context, id, payload) {
      if (Object.keys(context.subscriptions).length > subscriptionsPerSocket) {
        const message = `A socket may have ${subscriptionsPerSocket} subscriptions at a time.`;
        return [new GraphQLError(message, { extensions: { code: 'TOO_COMPLEX' } })];
      }
      const connection = hub.connectionOf(context.extra.request);
      const subscription = await connection?.inTurn(() => grafserv.onSubscribe?.(context, id, payload));
      if (!subscription || Array.isArray(subscription)) return subscription;
      const { document, operationName } = subscription as Exclude<typeof subscription, readonly GraphQLError[]>;
      const operation = getOperationAST(document, operationName);
      if (operation?.operation !== 'subscription') {
        return [new GraphQLError('Only subscriptions run over a websocket. POST everything else.')];
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
   * The results, each taken from Grafast when the client has the one before. An event whose row cannot be read because the
   * database is away is held, and read again once it is back.
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
          if (causes.some((cause) => cause instanceof IdentityRefusedError)) {
            connection.close('ended');
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
          // A row that could not be read is lost to the client, who has to read it again.
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

/** What a subscription's steps find in their context, and what sends its results. */
export interface LiveContext {
  readonly live: {
    readonly connection: LiveConnection;
    feed(): Feed | undefined;
    /** For Grafast's listen(). */
    subscribe(table: string): Feed;
  };
}

/** The context of one operation on `connection`. */
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

function authorizationIn(params: Readonly<Record<string, unknown>> | undefined): string {
  const authorization = params?.authorization ?? params?.Authorization;
  return typeof authorization === 'string' ? authorization : '';
}
