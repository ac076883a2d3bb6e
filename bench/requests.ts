import type { Call, Exchange, Subject } from './apis/api.ts';
import type { ServerProcess } from './serverProcess.ts';
import type { Tenant, TokenOf } from './tenants.ts';

const subjectCount = 1000;

/** Creates the subjects of the load. The tenants take turns, each time with another of their todos and lists. */
export function subjects(tenants: readonly Tenant[], cursors: ReadonlyMap<Tenant, string> = new Map()): Subject[] {
  return Array.from({ length: subjectCount }, (_, index) => {
    const tenant = tenants[index % tenants.length] as Tenant;
    const turn = Math.floor(index / tenants.length);
    return {
      tenant,
      todoId: tenant.todoIds[turn % tenant.todoIds.length] as string,
      listId: tenant.listIds[turn % tenant.listIds.length] as string,
      cursor: cursors.get(tenant) ?? '',
    };
  });
}

/** Formats an HTTP/1.1 request. */
export function requestText({ method, path, body, headers: more = {} }: Call, token: string): string {
  const json = body === undefined ? '' : JSON.stringify(body);
  const headers = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Accept: application/json',
    `Authorization: Bearer ${token}`,
    ...Object.entries(more).map(([name, value]) => `${name}: ${value}`),
    ...(json ? ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`] : []),
  ];
  return `${headers.join('\r\n')}\r\n\r\n${json}`;
}

/**
 * Sends one request and reads the answer. A 404 is an answer without a row.
 *
 * @throws if the server refuses the request or answers with errors.
 */
export async function send<T>(
  { port }: Pick<ServerProcess, 'port'>,
  { call, read }: Exchange<T>,
  subject: Subject,
  tokenOf: TokenOf,
): Promise<T> {
  const { method, path, body } = call(subject);
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      Accept: 'application/json',
      Authorization: `Bearer ${tokenOf(subject.tenant)}`,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (response.status === 404) return read(undefined);
  if (!response.ok || text.includes('"errors":')) throw new Error(`${response.status}: ${text.slice(0, 300)}`);
  return read(JSON.parse(text));
}
