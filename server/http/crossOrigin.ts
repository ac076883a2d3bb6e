import cors from 'cors';
import type { RequestHandler } from 'express';

/** Lets pages of these origins read answers (CORS). Requests without an Origin header need no CORS headers. */
export function crossOrigin(allowedOrigins: readonly string[]): RequestHandler {
  const fromPage = cors({
    origin: [...allowedOrigins],
    exposedHeaders: ['Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
  return (request, response, next) => {
    if (request.headers.origin !== undefined || request.method === 'OPTIONS') return fromPage(request, response, next);
    response.setHeader('Vary', 'Origin');
    next();
  };
}
