import express from 'express';
import passport from 'passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import pg from 'pg';
import pino from 'pino';
import { postgraphile } from 'postgraphile';
import { makePgService } from 'postgraphile/adaptors/pg';
import { grafserv } from 'postgraphile/grafserv/express/v4';
import { preset } from '../../server/graphql/preset.ts';
import { TenantDatabase } from '../../server/tenancy/tenantDatabase.ts';
import type { TestDatabase } from '../support/database.ts';
import { jwtSecret } from '../support/server.ts';
import { type ConnectionState, listen, stateStatement, type Target } from './target.ts';

/**
 * Starts the same API as PostGraphile's documentation shows it: its own adaptor for `pg`, and settings from passport's
 * user, none for an unauthenticated request. Sets node-postgres' `query_timeout`, as many do so that no statement
 * hangs.
 */
export async function startStockTarget(db: TestDatabase, poolSize: number): Promise<Target> {
  const log = pino({ level: 'silent' });
  const pool = new pg.Pool({ connectionString: db.serverUrl, max: poolSize });
  // The documentation lacks these handlers. Without them a killed backend ends the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));

  const unused = new TenantDatabase(db.serverUrl, { size: 1, timeout: 1, recycle: 1, preparedStatements: true }, log);
  const base = preset({ database: unused, log, production: true });
  const instance = postgraphile({
    ...base,
    // Leave out the plugin that runs statements on a client of Hedgerow.
    plugins: (base.plugins ?? []).filter(({ name }) => name !== 'AtomicMutationPlugin'),
    pgServices: [
      makePgService({ pool, schemas: ['app_public'], pgSettingsForIntrospection: { role: 'hedgerow_tenant' } }),
    ],
    grafast: {
      context: ({ expressv4 }) => {
        const { user } = (expressv4?.req ?? {}) as { user?: { sub?: string } };
        return { pgSettings: user?.sub ? { role: 'hedgerow_tenant', 'app.current_user_id': user.sub } : {} };
      },
    },
  });

  await instance.getSchema();
  // Applies to new connections only, because reading the catalog may take longer.
  Object.assign((pool as unknown as { options: pg.PoolConfig }).options, { query_timeout: 200 });

  const authenticator = new passport.Passport();
  const options = { jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(), secretOrKey: jwtSecret };
  authenticator.use(new Strategy(options, (payload, done) => done(null, payload)));
  const app = express();
  app.use((request, response, next) => {
    const set = (_error: unknown, user: Express.User | false) => {
      if (user) request.user = user;
      next();
    };
    authenticator.authenticate('jwt', { session: false }, set)(request, response, next);
  });
  await instance.createServ(grafserv).addTo(app, null, false);
  const { url, close } = await listen(app);
  return {
    url,
    poolSize,
    db,
    strict: false,
    direct: true,
    counts: unused.counts,
    connectionState: async () => {
      const { text, values } = stateStatement;
      return (await pool.query<ConnectionState>(text, values)).rows[0] as ConnectionState;
    },
    close: async () => {
      await close();
      await instance.release();
      await unused.close();
      await pool.end();
    },
  };
}
