import type { Answer, NoAnswer } from '../../isolation/http/post.ts';
import type { Outcome } from './expectedRows.ts';
import { requestTimeout } from './faultFunctions.ts';
import type { Owners } from './foreign.ts';
import type { TestRequest } from './testRequest.ts';

/** Result of checking one answer. */
export interface Verdict {
  /** The error codes, `data`, or the reason why there is no answer. */
  readonly label: string;
  readonly outcome: Outcome;
  readonly problem?: string | undefined;
  /** Names and ids of other tenants in the answer. */
  readonly foreign: readonly string[];
}

function codesOf({ body }: Answer): string[] {
  return [...new Set(body?.errors?.map(({ extensions }) => extensions?.code ?? 'no code') ?? [])];
}

/** Checks the answer that `tenant` got for `request`. @param allowed error codes that the fault scenario excuses. */
export function judge(
  answer: Answer | NoAnswer,
  request: TestRequest,
  { tenant, owners, allowed }: { tenant: string; owners: Owners; allowed: readonly string[] },
): Verdict {
  if (typeof answer === 'string') {
    const problem = answer === 'aborted' ? undefined : answer;
    return {
      label: answer === 'aborted' ? 'aborted' : 'no answer',
      outcome: 'unknown',
      foreign: [],
      problem,
    };
  }
  const foreign = owners.foreignIn(answer.text, tenant);
  const codes = codesOf(answer);
  const outcome = outcomeOf(answer, codes);
  const label = codes.length > 0 ? codes.toSorted().join(' + ') : 'data';
  return { label, outcome, foreign, problem: findProblem(answer, codes, request, allowed) };
}

/**
 * An error from Postgres means a rollback. After UNAVAILABLE or a missed deadline, the server does not know the
 * outcome.
 */
function outcomeOf({ body, milliseconds }: Answer, codes: readonly string[]): Outcome {
  // A mutation with a payload has committed. Only a read inside the payload failed, in its own transaction.
  if (codes.length === 0 || hasData(body?.data)) return 'done';
  if (!body || codes.includes('UNAVAILABLE')) return 'unknown';
  // Before the deadline, the timeout came from Postgres, which rolled back.
  if (codes.includes('TIMEOUT')) return milliseconds < requestTimeout * 1000 - 20 ? 'not done' : 'unknown';
  return 'not done';
}

function findProblem(answer: Answer, codes: readonly string[], request: TestRequest, allowed: readonly string[]) {
  const { status, headers, body } = answer;
  if (!body) return `status ${status} without JSON`;
  if (codes.length === 0) {
    if (status !== 200) return `status ${status} with data`;
    if (request.codes && !request.maySucceed)
      return `it succeeded, but should have failed with ${request.codes.join(' or ')}`;
    return catchShapeError(() => request.check?.(body.data));
  }
  const expected = request.codes ?? [];
  const wrong = codes.filter((code) => !expected.includes(code) && !allowed.includes(code));
  if (wrong.length > 0) return `${wrong.join(', ')} instead of ${expected.join(' or ') || 'data'}`;
  if ((status === 503) !== codes.includes('UNAVAILABLE')) return `status ${status} for ${codes.join(', ')}`;
  if (status === 503 && !headers['retry-after']) return '503 without Retry-After';
  if (status >= 500 && status !== 503) return `status ${status}`;
  const hit = codes.every((code) => expected.includes(code));
  return hit ? catchShapeError(() => request.checkFailed?.(body.data)) : undefined;
}

function catchShapeError(check: () => string | undefined): string | undefined {
  try {
    return check();
  } catch (error) {
    return `the answer has an unexpected shape: ${(error as Error).message}`;
  }
}

/** Checks the answer to an unauthenticated request: a 401 without data, or an error that the fault scenario excuses. */
export function judgeUnauthenticated(
  answer: Answer | NoAnswer,
  { owners, allowed }: { owners: Owners; allowed: readonly string[] },
): Verdict {
  if (typeof answer === 'string')
    return { label: answer, outcome: 'not done', foreign: [], problem: answer === 'aborted' ? undefined : answer };
  const codes = codesOf(answer);
  const foreign = owners.foreignIn(answer.text, undefined);
  const label = codes.toSorted().join(' + ') || 'data';
  const refused = answer.status === 401 && codes.join() === 'UNAUTHENTICATED' && !hasData(answer.body?.data);
  const excused = codes.length > 0 && codes.every((code) => allowed.includes(code)) && !hasData(answer.body?.data);
  const problem = refused || excused ? undefined : `an unauthenticated client got status ${answer.status}, ${label}`;
  return { label, outcome: 'not done', foreign, problem };
}

function hasData(data: unknown): boolean {
  return data !== null && data !== undefined && Object.values(data).some((value) => value !== null);
}
