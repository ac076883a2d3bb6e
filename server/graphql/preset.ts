import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import type { Request } from 'express';
import type { Logger } from 'pino';
import { type DocumentNode, getOperationAST, NoSchemaIntrospectionCustomRule } from 'postgraphile/graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';
import type { Database } from '../database/database.ts';
import { batchesPlugin } from './batches/plugin.ts';
import { maskError } from './errors.ts';
import { impliedTenantPlugin } from './impliedTenant.ts';
import { notFoundPlugin } from './notFound.ts';
import { asPgSettings, pgService } from './pgService.ts';

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

/** The whole configuration of the API. In production it tells nobody its schema, and has no GraphiQL. */
export function preset(database: Database, log: Logger, production: boolean): GraphileConfig.Preset {
  return {
    extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, PostGraphileConnectionFilterPreset],
    plugins: [impliedTenantPlugin, notFoundPlugin, batchesPlugin, ...(production ? [hideSchemaPlugin] : [])],
    disablePlugins: [
      // A tenant's rows are few, and the policies' index finds them: any column may be filtered and ordered by.
      'PgIndexBehaviorsPlugin',
      // What cannot be built is an error at start, and not a field that is silently missing.
      'SwallowErrorsPlugin',
    ],
    pgServices: [pgService(database)],
    grafast: {
      context: ({ expressv4 }, args) => ({ pgSettings: tenantOf(database, expressv4?.req, args) }),
    },
    grafserv: {
      graphqlPath: '/graphql',
      graphiql: !production,
      graphiqlOnGraphQLGET: !production,
      graphiqlPath: '/',
      graphqlOverGET: false,
      allowedRequestContentTypes: ['application/json'],
      maxRequestLength: 100_000,
      maskError: maskError(log),
    },
  };
}

/** Whom the request's SQL speaks for; nobody without a verified token, and then there is no SQL. */
function tenantOf(database: Database, request: Request | undefined, { document, operationName }: Operation) {
  if (!request?.user) return null;
  const readOnly = getOperationAST(document, operationName)?.operation === 'query';
  return asPgSettings(database.as(request.user.identity, { cancellation: request.cancellation, readOnly }));
}
