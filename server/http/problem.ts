/** What is wrong with one field of the input; `path` is its name, dotted where it is nested. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** An answer that says what went wrong in words for the client (RFC 9457). */
export class Problem extends Error {
  readonly status: number;
  readonly errors: readonly FieldError[] | undefined;
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    status: number,
    detail: string,
    extra: { errors?: readonly FieldError[]; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.status = status;
    this.errors = extra.errors;
    this.headers = extra.headers ?? {};
  }
}

/** The input is at fault, in each of these fields. */
export function badInput(...errors: readonly FieldError[]): Problem {
  return new Problem(400, 'Some of the input is not as it should be.', { errors });
}

/** The one answer for every missing, malformed, expired or ended token: nothing tells them apart. */
export function unauthenticated(): Problem {
  return new Problem(401, 'A valid access token is needed: Authorization: Bearer <token>.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
