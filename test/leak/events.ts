import type { Message } from '../support/socket.ts';
import type { Tenant } from './tenant.ts';

/**
 * Checks a websocket message to a tenant.
 *
 * @param allowed error codes that the fault scenario excuses.
 * @returns a problem, or undefined.
 */
export function checkMessage(
  { type, payload }: Message,
  { name, expected }: Tenant,
  allowed: readonly string[],
): string | undefined {
  if (type === 'connection_ack' || type === 'complete') return undefined;
  if (type !== 'next' && type !== 'error') return `a message of type ${type}`;
  const errors = type === 'error' ? payload : payload.errors;
  const codes: string[] = errors?.map((error: { extensions?: { code?: string } }) => error.extensions?.code) ?? [];
  const wrong = codes.filter((code) => !allowed.includes(code));
  if (wrong.length > 0) return `${wrong.join(', ')} instead of an event`;
  if (codes.length > 0) return undefined;
  const { event, rowId, todo } = payload.data.todoChanged;
  if (event === 'RESYNC') return rowId === null && todo === null ? undefined : 'RESYNC with a row';
  if (event === 'DELETE') return todo === null ? undefined : 'DELETE with a row';
  if (todo?.user?.username !== name) return 'the row belongs to another tenant';
  return expected.checkConcurrent([{ rowId, title: todo.title }]);
}

/** Checks the close code of a socket that the server closed. @returns a problem, or undefined. */
export function checkClose(code: number, allowed: readonly string[]): string | undefined {
  const explained: Readonly<Record<number, string>> = {
    1013: 'UNAVAILABLE',
    4401: 'UNAUTHENTICATED',
    4403: 'UNAUTHENTICATED',
    // The server could not check the session in time.
    4500: 'TIMEOUT',
  };
  const cause = explained[code];
  return cause && allowed.includes(cause) ? undefined : `the server closed the socket with ${code}`;
}
