import express, { type RequestHandler } from 'express';
import { Problem } from '../auth/problem.ts';

/** Largest body that is read, in bytes. */
const bodyLimit = 100_000;

/** Reads a JSON body of at most 100 kB. Another content type is refused: a form of another site cannot send this one. */
export const jsonBody: RequestHandler[] = [
  (request, _response, next) => {
    const length = request.get('content-length') ?? request.get('transfer-encoding');
    const wrongType =
      request.method !== 'GET' && length !== undefined && length !== '0' && !request.is('application/json');
    next(wrongType ? new Problem(415, 'Send JSON, with Content-Type: application/json.') : undefined);
  },
  express.json({ limit: bodyLimit }),
];
