import { isIP } from 'node:net';
import type { Request } from 'express';

/** Where a request comes from, as far as it can be known. */
export interface Origin {
  /** The client's network address; behind proxies only as far as TRUST_PROXY says, and only what is one. */
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** Longest user agent that is kept. */
const longest = 512;

export function originOf(request: Request): Origin {
  // A link-local address has its interface behind a %, which is ours and not the client's.
  const [address = ''] = (request.ip ?? '').split('%', 1);
  // NUL is the one character that Postgres' text does not take; Node's parser lets none through.
  return { address: isIP(address) ? address : undefined, userAgent: request.get('user-agent')?.slice(0, longest) };
}
