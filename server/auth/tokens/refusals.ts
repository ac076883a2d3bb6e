import type { Logger } from 'pino';

/** The cause of a refusal. The set is fixed, so that forged tokens cannot fill the log with new texts. */
export type RefusalCause =
  | 'expired'
  | 'not valid yet'
  | 'issued in the future'
  | 'wrong signature'
  | 'unknown key'
  | 'several keys match'
  | 'wrong issuer'
  | 'wrong audience'
  | 'wrong type'
  | 'algorithm not accepted'
  | 'claim missing or malformed'
  | 'revoked'
  | 'malformed'
  | 'too long';

/** A token was refused. The client gets only 401; the cause goes to the log. */
export class TokenRefusedError extends Error {
  readonly reason: RefusalCause;
  /** For causes about time: the seconds by which the token is early or late. Set only after signature verification. */
  readonly seconds: number | undefined;

  constructor(reason: RefusalCause, seconds?: number) {
    super(`the token was refused: ${reason}`);
    this.reason = reason;
    this.seconds = seconds;
  }
}

const clocks = 'Compare the clocks of the issuer and of this server (NTP).';

const advice: Readonly<Partial<Record<RefusalCause, string>>> = {
  expired: `The client should refresh. If the token was new: ${clocks}`,
  'not valid yet': clocks,
  'issued in the future': clocks,
  'unknown key': 'Publish a key, and deploy it to every server, before it signs tokens.',
  'wrong audience': 'Compare the aud of the tokens with AUTH_AUDIENCE.',
  'wrong type': 'Send the access token, not an ID token or another type of token.',
  'algorithm not accepted': 'Configure the issuer to sign with ES256, RS256, PS256 or EdDSA.',
  'too long': 'Configure the issuer to omit groups and other large claims from its access tokens.',
  'claim missing or malformed': 'Configure the issuer to include sub, iat and exp in its access tokens.',
};

/** Causes that occur in normal operation. Their log level is info; other causes are warnings. */
const usual: ReadonlySet<RefusalCause> = new Set(['expired', 'revoked', 'malformed']);

/** The minimum time between two log entries about the same cause, in milliseconds. */
const interval = 60_000;

/**
 * Logs why tokens are refused, never the token. It logs the first refusal of each issuer and cause at once, and counts
 * the next ones. After a minute, the next refusal logs the count.
 */
export class RefusalLog {
  readonly #log: Logger;
  readonly #last = new Map<string, { at: number; unlogged: number }>();

  constructor(log: Logger) {
    this.#log = log;
  }

  note(issuer: 'own' | 'external', { reason, seconds }: TokenRefusedError): void {
    const key = `${issuer} ${reason}`;
    const last = this.#last.get(key);
    const now = Date.now();
    if (last && now - last.at < interval) {
      last.unlogged++;
      return;
    }
    this.#last.set(key, { at: now, unlogged: 0 });
    const line = { issuer, cause: reason, seconds, refusals: (last?.unlogged ?? 0) + 1, advice: advice[reason] };
    this.#log[usual.has(reason) ? 'info' : 'warn'](line, 'access tokens were refused');
  }
}
