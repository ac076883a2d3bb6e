/** The error of one input field. `path` is the field's name, with dots between nested names. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** An error with a message for the client (RFC 9457). */
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

/** The error for input with invalid fields. */
export function badInput(...errors: readonly FieldError[]): Problem {
  return new Problem(400, 'Some of the input is not as it should be.', { errors });
}

/** The error for every missing, malformed, expired or revoked token: clients cannot distinguish them. */
export function unauthenticated(): Problem {
  return new Problem(401, 'A valid access token is needed: Authorization: Bearer <token>.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
