// PostGraphile 4 on Express with the options that its documentation recommends for production, and passport-jwt with the
// secret as a string.
import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import pg from 'pg';
import { postgraphile } from 'postgraphile4';

const { DATABASE_URL, JWT_SECRET, PORT, POOL_SIZE } = process.env;

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
app.use(passport.authenticate('jwt', { session: false }));
app.use(
  postgraphile(new pg.Pool({ connectionString: DATABASE_URL, max: Number(POOL_SIZE) }), 'app_public', {
    subscriptions: false,
    retryOnInitFail: false,
    dynamicJson: true,
    setofFunctionsContainNulls: false,
    ignoreRBAC: true,
    legacyRelations: 'omit',
    disableQueryLog: true,
    graphiql: false,
    enableQueryBatching: false,
    pgSettings: (request) => ({ role: 'hedgerow_tenant', 'app.current_user_id': request.user.id }),
  }),
);
app.listen(Number(PORT), '127.0.0.1');
