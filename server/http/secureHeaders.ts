import type { RequestHandler } from 'express';
import helmet, { type HelmetOptions } from 'helmet';

/** Sets Helmet's headers. They are the same for every answer, so Helmet computes them once instead of per request. */
export function secureHeaders(options: HelmetOptions): RequestHandler {
  const headers = new Map<string, string>();
  const response = { setHeader: (name: string, value: string) => headers.set(name, value), removeHeader: () => {} };
  helmet(options)({} as never, response as never, (error) => {
    if (error) throw error;
  });
  return (_request, response, next) => {
    response.setHeaders(headers);
    next();
  };
}
