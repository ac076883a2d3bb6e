// PostGraphile 5 on Express the way its documentation shows, with its own adaptor for pg, and passport-jwt with the
// secret as a string. PgIndexBehaviorsPlugin is off, as in Hedgerow, so that both have the same order fields.
import { createServer } from 'node:http';
import { PgSimplifyInflectionPreset } from '@graphile/simplify-inflection';
import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/express/v4';
import { PostGraphileAmberPreset } from 'postgraphile/presets/amber';
import { PostGraphileConnectionFilterPreset } from 'postgraphile-plugin-connection-filter';

const { DATABASE_URL, JWT_SECRET, PORT, POOL_SIZE } = process.env;

const preset = {
  extends: [PostGraphileAmberPreset, PgSimplifyInflectionPreset, PostGraphileConnectionFilterPreset],
  disablePlugins: ['PgIndexBehaviorsPlugin'],
  pgServices: [
    makePgService({
      connectionString: DATABASE_URL,
      schemas: ['app_public'],
      poolConfig: { max: Number(POOL_SIZE) },
      pgSettingsForIntrospection: { role: 'hedgerow_tenant' },
    }),
  ],
  grafast: {
    context(requestContext, args) {
      const user = requestContext.expressv4?.req.user;
      return {
        pgSettings: {
          ...args.contextValue?.pgSettings,
          role: 'hedgerow_tenant',
          ...(user && { 'app.current_user_id': user.id }),
        },
      };
    },
  },
};

passport.use(
  new Strategy(
    {
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: JWT_SECRET,
      algorithms: ['HS256'],
      issuer: 'hedgerow',
      audience: 'hedgerow',
    },
    (payload, done) => done(null, { id: payload.sub }),
  ),
);

const app = express();
app.use('/graphql', passport.authenticate('jwt', { session: false }));
const server = createServer(app);
await postgraphile(preset).createServ(grafserv).addTo(app, server);
server.listen(Number(PORT), '127.0.0.1');
