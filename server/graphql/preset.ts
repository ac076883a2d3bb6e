import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import type { Logger } from 'pino';
import { NoSchemaIntrospectionCustomRule } from 'postgraphile/graphql';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';
import type { Database } from '../database/database.ts';
import { maskError } from './errors.ts';
import { impliedTenantPlugin } from './impliedTenant.ts';
import { asPgSettings, pgService } from './pgService.ts';

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
    plugins: [impliedTenantPlugin, ...(production ? [hideSchemaPlugin] : [])],
    disablePlugins: [
      // A tenant's rows are few, and the policies' index finds them: any column may be filtered and ordered by.
      'PgIndexBehaviorsPlugin',
      // What cannot be built is an error at start, and not a field that is silently missing.
      'SwallowErrorsPlugin',
    ],
    pgServices: [pgService(database)],
    grafast: {
      context: ({ expressv4 }) => ({
        pgSettings: expressv4?.req.user ? asPgSettings(expressv4.req.user.identity) : null,
      }),
    },
    grafserv: {
      graphqlPath: '/graphql',
      graphiql: !production,
      graphiqlPath: '/',
      graphqlOverGET: false,
      maxRequestLength: 100_000,
      maskError: maskError(log),
    },
  };
}
