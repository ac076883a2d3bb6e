/** An error in one input field. `path` is the name of the field, with dots between nested names. */
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

/** Creates the error for input with invalid fields. */
export function badInput(...errors: readonly FieldError[]): Problem {
  return new Problem(400, 'Some fields of the input are invalid. See `errors`.', { errors });
}

/** Creates the error for every missing, malformed, expired or revoked token. Clients cannot distinguish these cases. */
export function unauthenticated(): Problem {
  return new Problem(401, 'A valid access token is needed: Authorization: Bearer <token>.', {
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
