import type { RequestHandler } from 'express';
import { Router } from 'express';
import { accountRoutes } from './accounts/routes.ts';
import type { AuthContext } from './context.ts';
import { exportRoutes } from './export/routes.ts';
import { mailRoutes } from './mailer/routes.ts';
import { sessionRoutes } from './sessions/routes.ts';

/** All routes below `/auth`. */
export function authRoutes(context: AuthContext, signedIn: RequestHandler): Router {
  return Router().use(
    (_request, response, next) => {
      // Responses contain tokens and data of one user, so no cache may store them.
      response.set('Cache-Control', 'no-store');
      next();
    },
    accountRoutes(context, signedIn),
    sessionRoutes(context, signedIn),
    mailRoutes(context, signedIn),
    exportRoutes(context, signedIn),
  );
}
