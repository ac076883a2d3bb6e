import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import type { Request } from 'express';
import type { Logger } from 'pino';
import { type DocumentNode, getOperationAST, NoSchemaIntrospectionCustomRule } from 'postgraphile/graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';
import { Hold } from '../http/turn.ts';
import type { IdentifiedClient, SqlRunner } from '../tenancy/tenantDatabase.ts';
import { atomicMutationPlugin } from './atomicMutation.ts';
import { bulkMutationsPlugin } from './bulkMutations/plugin.ts';
import { createOperationComplexity } from './complexity/plugin.ts';
import { metered, ReadMeter } from './complexity/readMeter.ts';
import { readConstraints } from './constraints.ts';
import { cursorsPlugin } from './cursors/plugin.ts';
import { maskError } from './errors.ts';
import { hideOwnerColumnPlugin } from './hideOwnerColumn.ts';
import type { LiveHub } from './live/hub.ts';
import { livePlugins } from './live/plugin.ts';
import { liveContext } from './live/protocol.ts';
import { namesPlugin } from './names.ts';
import { nullChecksPlugin } from './nullChecks.ts';
import { pagesPlugin } from './pages.ts';
import { asPgSettings, pgService } from './pgService.ts';
import { catalogReader } from './prefetchIntrospection.ts';
import { readRoleRefusals } from './roleRefusals.ts';
import { sqlTemplatesPlugin } from './sqlTemplates/plugin.ts';
import { trustedDocumentsPlugin } from './trustedDocuments.ts';
import { typesPlugin } from './types/plugin.ts';
import { readUpdateRefusals } from './updateRefusals.ts';

/** Milliseconds after which Grafast stops planning an operation. */
const planningTimeout = 5000;

interface Operation {
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
}

const hideSchemaPlugin: GraphileConfig.Plugin = {
  name: 'HideSchemaPlugin',
  version: '1.0.0',
  grafserv: {
    middleware: {
      setPreset(next, event) {
        event.validationRules.push(NoSchemaIntrospectionCustomRule);
        return next();
      },
    },
  },
};

interface PresetParts {
  readonly database: SqlRunner;
  /** The catalog reader, if introspection was prefetched. */
  readonly catalog?: IdentifiedClient | undefined;
  readonly log: Logger;
  readonly production: boolean;
  /** The trusted documents, by id. */
  readonly documents?: ReadonlyMap<string, string> | undefined;
  readonly live?: LiveHub;
}

/** Builds PostGraphile's configuration. In production, it hides the schema and disables GraphiQL. */
export function preset({ database, catalog, log, production, documents, live }: PresetParts): GraphileConfig.Preset {
  const constraints = readConstraints();
  const refusals = readUpdateRefusals();
  const roles = readRoleRefusals();
  const complexity = createOperationComplexity({ trusted: new Set(documents?.values()), live });
  return {
    extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, PostGraphileConnectionFilterPreset],
    plugins: [
      hideOwnerColumnPlugin,
      constraints.plugin,
      refusals.plugin,
      roles.plugin,
      nullChecksPlugin,
      pagesPlugin,
      complexity.plugin,
      bulkMutationsPlugin,
      atomicMutationPlugin,
      namesPlugin,
      typesPlugin,
      cursorsPlugin,
      sqlTemplatesPlugin(complexity.grow),
      ...livePlugins(database),
      ...(production ? [hideSchemaPlugin] : []),
      ...(documents ? [trustedDocumentsPlugin(documents, production)] : []),
    ],
    disablePlugins: [
      // Tenants may filter and order by any column: a tenant has few rows, and the index of the policies finds them.
      'PgIndexBehaviorsPlugin',
      // A field that cannot be built is an error at startup. The plugin would omit it silently.
      'SwallowErrorsPlugin',
    ],
    // A client that builds a filter from optional conditions sends an empty object if none applies.
    schema: { connectionFilterAllowEmptyObjectInput: true },
    pgServices: [pgService(catalog ?? catalogReader(database))],
    grafast: {
      // A second defense after the limit on `planning`. It uses the clock, so it must leave room for a busy machine.
      timeouts: { planning: planningTimeout },
      context: ({ expressv4, ws }, args) => {
        const connection = ws?.request && live?.connectionOf(ws.request);
        if (connection) {
          const client = metered(connection.client(), () => ReadMeter.ofEvent());
          return { pgSettings: asPgSettings(client), ...liveContext(connection) };
        }
        return {
          ...tenantOf(database, expressv4?.req, args),
          idempotencyKey: expressv4?.req.get('Idempotency-Key'),
        };
      },
    },
    grafserv: {
      graphqlPath: '/graphql',
      graphiql: !production,
      graphiqlOnGraphQLGET: !production,
      graphiqlPath: '/',
      graphqlOverGET: false,
      allowedRequestContentTypes: ['application/json'],
      maxRequestLength: 100_000,
      maskError: maskError(log, { constraints, refusals, roles }),
    },
  };
}

/** Creates the request's tenant client and its read meter. Without a verified token there is neither, so no SQL runs. */
function tenantOf(database: SqlRunner, request: Request | undefined, { document, operationName }: Operation) {
  if (!request?.user) return { pgSettings: null };
  const operation = getOperationAST(document, operationName);
  const client = database.as(request.user.identity, {
    cancellation: request.cancellation,
    readOnly: operation?.operation === 'query',
    operation: operation?.name?.value,
  });
  const meter = new ReadMeter(request.user.userId);
  if (!request.res || request.res.closed) meter.release();
  else request.res.on('close', () => meter.release());
  request.hold = new Hold(request);
  if (operation?.operation === 'mutation') request.turn?.writes();
  return {
    pgSettings: asPgSettings(metered(client, () => meter, request.hold)),
    meter,
    organizationId: request.user.organizationId,
  };
}
