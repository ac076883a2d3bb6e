import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { databaseOf, inDatabase } from '../../postgres/target/scratch.ts';
import { withClient } from '../../postgres/withClient.ts';
import type { TestDatabase } from './database.ts';

/** A local stand-in for the branch endpoints of Neon's API. A branch is a database of the tests' Postgres. */
export interface NeonApi {
  /** The environment of a user of the project. DATABASE_URL_DIRECT is the branch `main`. */
  readonly env: Readonly<Record<string, string>>;
  /** The received requests, such as `GET /projects/p/branches?search=x`. */
  readonly requests: string[];
  /** Answers that replace those of the next requests (of that method). */
  readonly instead: Instead[];
  /** Final status of the next operation. */
  endAs: string;
  /** Saves the current state of `main` as the only point in time to which it can be restored. */
  remember(): Promise<void>;
  /** The names of the branches. */
  names(): string[];
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Instead extends Answer {
  readonly method?: string;
}

interface Branch {
  readonly id: string;
  readonly name: string;
  readonly database: string;
  readonly created_at: string;
  parent_id?: string;
}

const project = 'quiet-field-12345678';
const key = 'napi_a-secret-word';

export async function startNeonApi(db: TestDatabase): Promise<NeonApi> {
  const sql = (text: string) => withClient(inDatabase(db.adminUrl, 'postgres'), (admin) => admin.query(text));
  const copy = (to: string, from: string) => sql(`create database "${to}" template "${from}" strategy file_copy`);
  const main = databaseOf(db.ownerUrl);
  const past = `${main}_past`;
  const branches: Branch[] = [{ id: 'br-main', name: 'main', database: main, created_at: new Date().toISOString() }];
  const endpoints = [{ host: '127.0.0.1', branch_id: 'br-main', type: 'read_write' }];
  const addEndpoint = (branch_id: string) =>
    endpoints.push({ host: `ep-${endpoints.length}.example`, branch_id, type: 'read_write' });
  const operations = new Map<string, { left: number; status: string }>();
  const requests: string[] = [];
  const instead: Instead[] = [];
  const api = { endAs: 'finished' };

  const begin = (action: string) => {
    const id = randomUUID();
    operations.set(id, { left: 2, status: api.endAs });
    api.endAs = 'finished';
    return [{ id, project_id: project, action, status: 'running', failures_count: 0 }];
  };
  const busy = () => [...operations.values()].some(({ left }) => left > 0);
  const add = (name: string, database: string, parent?: string) => {
    const branch = {
      id: `br-${branches.length}-${name.replace(/\W/g, '-')}`,
      name,
      database,
      created_at: new Date().toISOString(),
    };
    branches.push(parent ? { ...branch, parent_id: parent } : branch);
    return branch;
  };

  const routes: [string, RegExp, (match: string[], query: URLSearchParams, body: Body) => Answer | Promise<Answer>][] =
    [
      ['GET', /^\/endpoints$/, () => ok({ endpoints })],
      [
        'POST',
        /^\/endpoints$/,
        (_m, _query, { endpoint = {} }) => {
          addEndpoint(endpoint.branch_id as string);
          return { status: 201, body: { operations: begin('start_compute') } };
        },
      ],
      [
        'GET',
        /^\/branches$/,
        (_m, query) => ok({ branches: branches.filter(({ name }) => name.includes(query.get('search') ?? '')) }),
      ],
      [
        'GET',
        /^\/branches\/([^/]+)$/,
        ([, id]) =>
          found(
            branches.find((branch) => branch.id === id),
            (branch) => ok({ branch }),
          ),
      ],
      [
        'GET',
        /^\/operations\/(.+)$/,
        ([, id]) =>
          found(operations.get(id as string), (operation) => {
            operation.left -= 1;
            const status = operation.left > 0 ? 'running' : operation.status;
            return ok({
              operation: { id, action: 'create_branch', status, error: status === 'failed' ? 'no disk' : undefined },
            });
          }),
      ],
      [
        'GET',
        /^\/connection_uri$/,
        (_m, query) =>
          found(
            branches.find(({ id }) => id === query.get('branch_id')),
            ({ id, database }) => {
              if (query.get('database_name') !== main || !endpoints.some(({ branch_id }) => branch_id === id))
                return missing;
              const urls: Record<string, string> = {
                hedgerow_owner: db.ownerUrl,
                hedgerow_authenticator: db.listenUrl,
                postgres: db.adminUrl,
              };
              return found(urls[query.get('role_name') ?? ''], (url) => ok({ uri: inDatabase(url, database) }));
            },
          ),
      ],
      [
        'POST',
        /^\/branches$/,
        async (_m, _query, { branch = {}, endpoints: wanted }) =>
          found(
            branches.find(({ id }) => id === branch.parent_id),
            async (parent) => {
              if (wanted?.[0]?.type !== 'read_write') return wrong('a branch without a compute cannot be connected to');
              const made = add(branch.name as string, `${main}_${branches.length}`, parent.id);
              addEndpoint(made.id);
              await copy(made.database, parent.database);
              return { status: 201, body: { branch: made, operations: begin('create_branch') } };
            },
          ),
      ],
      [
        'DELETE',
        /^\/branches\/([^/]+)$/,
        ([, id]) =>
          found(
            branches.find((branch) => branch.id === id),
            async (branch) => {
              if (branches.some(({ parent_id }) => parent_id === id))
                return wrong('cannot delete a branch that has children');
              branches.splice(branches.indexOf(branch), 1);
              await sql(`drop database "${branch.database}" with (force)`);
              return ok({ branch, operations: begin('delete_timeline') });
            },
          ),
      ],
      [
        'POST',
        /^\/branches\/([^/]+)\/restore$/,
        ([, id], _query, { source_branch_id, source_timestamp, preserve_under_name }) =>
          found(
            branches.find((branch) => branch.id === id),
            (branch) =>
              found(
                branches.find((one) => one.id === source_branch_id),
                async (source) => {
                  const children = branches.filter(({ parent_id }) => parent_id === id);
                  if (source === branch && !source_timestamp) return wrong('source_timestamp is required');
                  if ((source === branch || children.length > 0) && !preserve_under_name)
                    return wrong('preserve_under_name is required');
                  const old = `${main}_${branches.length}`;
                  await sql(`alter database "${branch.database}" rename to "${old}"`);
                  await copy(branch.database, source_timestamp ? past : source === branch ? old : source.database);
                  if (preserve_under_name) {
                    const kept = add(preserve_under_name, old, branch.parent_id);
                    for (const child of children) child.parent_id = kept.id;
                  } else await sql(`drop database "${old}" with (force)`);
                  branch.parent_id = source.id;
                  return ok({ branch, operations: begin('create_branch') });
                },
              ),
          ),
      ],
    ];

  const answer = async (request: IncomingMessage): Promise<Answer> => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://neon');
    requests.push(`${request.method} ${request.url}`);
    const planned = instead.findIndex(({ method = request.method }) => method === request.method);
    if (planned >= 0) return instead.splice(planned, 1)[0] as Answer;
    if (request.headers.authorization !== `Bearer ${key}`)
      return { status: 401, body: { code: '', message: 'wrong key' } };
    if (!pathname.startsWith(`/projects/${project}/`)) return missing;
    if (request.method !== 'GET' && busy())
      return { status: 423, body: { code: '', message: 'project has running operations' } };
    const path = pathname.slice(`/projects/${project}`.length);
    for (const [method, pattern, handle] of routes) {
      const match = method === request.method && pattern.exec(path);
      if (match) return handle([...match], searchParams, JSON.parse((await text(request)) || '{}'));
    }
    return missing;
  };
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const { status, body, headers } = await answer(request).catch((error) => ({
      status: 500,
      body: { message: error.message },
      headers: {},
    }));
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  return Object.assign(api, {
    env: {
      NEON_API_HOST: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      NEON_API_KEY: key,
      NEON_PROJECT_ID: project,
      DATABASE_URL_DIRECT: db.ownerUrl,
      ROOT_DATABASE_URL: db.adminUrl,
    },
    requests,
    instead,
    remember: async () => void (await copy(past, main)),
    names: () => branches.map(({ name }) => name),
    close: async () => {
      server.close();
      for (const { database } of branches) if (database !== main) await sql(`drop database "${database}" with (force)`);
      await sql(`drop database if exists "${past}" with (force)`);
    },
  });
}

interface Body {
  readonly branch?: { readonly name?: string; readonly parent_id?: string };
  readonly endpoints?: readonly { readonly type?: string }[];
  readonly endpoint?: { readonly branch_id?: string };
  readonly source_branch_id?: string;
  readonly source_timestamp?: string;
  readonly preserve_under_name?: string;
}

const ok = (body: object): Answer => ({ status: 200, body });
const wrong = (message: string): Answer => ({ status: 400, body: { code: '', message } });
const missing: Answer = { status: 404, body: { code: '', message: 'not found' } };

function found<Thing, Result>(thing: Thing | undefined, use: (thing: Thing) => Result): Result | Answer {
  return thing === undefined ? missing : use(thing);
}

async function text(request: IncomingMessage): Promise<string> {
  let whole = '';
  for await (const chunk of request) whole += chunk;
  return whole;
}
