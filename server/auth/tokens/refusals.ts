import type { Logger } from 'pino';

/** Why a token was refused. Fixed words: a stranger must not be able to fill the log with ever different ones. */
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

/** A token was refused. The client is told 401 and nothing else; the cause is for the log. */
export class TokenRefusedError extends Error {
  readonly reason: RefusalCause;
  /** For causes about time: by how many seconds the token misses. Only of tokens whose signature was verified. */
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
  'unknown key': 'Publish a key before tokens are signed with it, and deploy it to every server.',
  'wrong audience': 'Compare the aud of the tokens with AUTH_AUDIENCE.',
  'wrong type': 'Send the access token, and not an ID token or another kind.',
  'algorithm not accepted': 'Have the issuer sign with ES256, RS256, PS256 or EdDSA.',
  'too long': 'Have the issuer leave groups and other large claims out of its access tokens.',
  'claim missing or malformed': 'Have the issuer put sub, iat and exp into its access tokens.',
};

/** Causes that occur in normal operation: they are logged at level info. */
const usual: ReadonlySet<RefusalCause> = new Set(['expired', 'revoked', 'malformed']);

/** Milliseconds between two lines about the same cause. */
const interval = 60_000;

/**
 * Logs why tokens are refused, never the token: at once the first time, then for each issuer and cause one line in a
 * minute at most, with how many refusals it stands for.
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
