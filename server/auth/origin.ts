import { isIP } from 'node:net';
import type { Request } from 'express';

/** The client's address and user agent. */
export interface Origin {
  /** The client's IP address. TRUST_PROXY says which proxies may name it. `undefined` if the value is not an address. */
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

/** Characters of the user agent to keep. */
const maxUserAgent = 512;

/** Reads the origin of a request. */
export function originOf(request: Request): Origin {
  // The part after a % names a network interface of this server, not of the client.
  const [address = ''] = (request.ip ?? '').split('%', 1);
  // Node's HTTP parser refuses NUL, the only character that the type text of Postgres cannot store.
  return { address: isIP(address) ? address : undefined, userAgent: request.get('user-agent')?.slice(0, maxUserAgent) };
}
