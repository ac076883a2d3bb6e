import type { Message } from '../support/socket.ts';
import type { Tenant } from './tenant.ts';

/** What is wrong with what a tenant's socket was sent, while errors may have the codes `allowed`; undefined: nothing. */
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
  if (todo?.user?.username !== name) return 'the row is not its tenant’s';
  return expected.checkConcurrent([{ rowId, title: todo.title }]);
}

/** What is wrong with the server's closing of a socket. */
export function checkClose(code: number, allowed: readonly string[]): string | undefined {
  const explained: Readonly<Record<number, string>> = {
    1013: 'UNAVAILABLE',
    4401: 'UNAUTHENTICATED',
    4403: 'UNAUTHENTICATED',
    // Whether the session lives could not be asked.
    4500: 'TIMEOUT',
  };
  const because = explained[code];
  return because && allowed.includes(because) ? undefined : `the server closed the socket with ${code}`;
}
