import { UsageError } from '../../common/usageError.ts';
import { type Account, createOrganization, deleteAccount, register, signIn } from './accounts.ts';
import { fieldsOf, valuesOf, type Watch } from './attackContext.ts';
import type { ApiActor, Client } from './client.ts';
import { operationOf } from './fields.ts';
import { repair } from './repair.ts';
import { type Holdings, type Row, readHoldings } from './rows.ts';
import { type Api, readApi } from './schema.ts';
import type { AttackContextParts } from './scratch.ts';
import type { RevokedActors } from './unauthenticated.ts';
import { candidateArguments, createRequest, works } from './validArguments.ts';
import { isDistinctive } from './values.ts';

export interface RemoteOptions {
  /** A file with the schema, for a server that disables introspection. */
  readonly schemaFile?: string | undefined;
  /** Existing accounts to use instead of new ones. */
  readonly existing?: { readonly a: Credentials; readonly b: Credentials } | undefined;
  readonly progress: (line: string) => void;
}

interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** The number of rows of each type to insert for a tenant. */
const rowsPerType = 2;

/**
 * Prepares an attack on a server of which only the address is known, runs `use`, and deletes the new accounts.
 *
 * @throws UsageError if the server refuses an account or hides its schema.
 */
export async function withRemoteContext<Result>(
  client: Client,
  { schemaFile, existing, progress }: RemoteOptions,
  use: (
    context: AttackContextParts,
    revokedActors: RevokedActors,
    sessionOfA: string | undefined,
    secrets: string[],
  ) => Promise<Result>,
): Promise<Result> {
  const created: Account[] = [];
  const createAccount = async (name: string) => {
    const account = await createOrganization(client, await register(client, name));
    created.push(account);
    return account;
  };
  try {
    const a = existing ? await signIn(client, 'A', existing.a) : await createAccount('A');
    const b = existing ? await signIn(client, 'B', existing.b) : await createAccount('B');
    const empty = await createAccount('C');
    const removed = await register(client, 'a user who is deleted');
    await deleteAccount(client, removed);
    const api = await readApi(client, a, schemaFile);
    progress('inserting rows through the API');
    const made = { a: await makeRows(client, api, a), b: await makeRows(client, api, b) };
    const context = await createContext(client, api, { a, b, empty }, made);
    const revokedActors = { actors: [removed], signer: undefined, sessionOfB: b.sessionId };
    return await use(context, revokedActors, a.sessionId, [a.email]);
  } finally {
    for (const account of created) {
      await deleteAccount(client, account).catch((error) =>
        progress(`could not delete the account ${account.email}: ${error.message}`),
      );
    }
  }
}

/**
 * Inserts rows of every type that the API can insert, in the order of the fields.
 *
 * @returns the text of all accepted requests and their answers.
 */
async function makeRows(client: Client, api: Api, actor: Account): Promise<string> {
  const sent = [actor.id, actor.email, actor.sessionId ?? ''];
  const sources = { api, sampleRows: new Map<string, readonly Row[]>(), usedValues: new Set<string>() };
  for (let turn = 0; turn < rowsPerType; turn++) {
    for (const root of api.fields.filter((field) => operationOf(field) === 'insert')) {
      const holdings = await readHoldings(client, api, actor);
      if (!root.entity || (holdings.rows.get(root.entity.name)?.length ?? 0) > turn) continue;
      let attempts = 0;
      for (const values of candidateArguments(sources, root, holdings)) {
        if (++attempts > 40) break;
        const request = createRequest(root, api.rows, values);
        const answer = await client.ask(actor, request);
        if (!works(root, answer)) continue;
        sent.push(JSON.stringify(request.variables), answer.text);
        break;
      }
    }
  }
  return sent.join('\n');
}

async function createContext(
  client: Client,
  api: Api,
  { a, b, empty }: { a: Account; b: Account; empty: Account },
  made: { a: string; b: string },
): Promise<AttackContextParts> {
  const read = async (actor: Account, own: string, others: string) =>
    withoutForeignRows(await readHoldings(client, api, actor), own, others);
  const ofA = await read(a, made.a, made.b);
  const ofB = await read(b, made.b, made.a);
  const ofEmpty = await read(empty, `${empty.id} ${empty.email}`, made.a + made.b);
  const others = JSON.stringify([[...ofB.rows], [...ofEmpty.rows]]) + made.b;
  const values = [...valuesOf(ofA)];
  const known = new Set([...fieldsOf(ofB), ...fieldsOf(ofEmpty)]);
  return {
    client,
    api,
    a,
    b,
    empty,
    ofA,
    ofB,
    ofEmpty,
    sampleRows: new Map(),
    usedValues: new Set([...values, ...valuesOf(ofB)].map(([value]) => JSON.stringify(value))),
    onlyA: new Set([...fieldsOf(ofA)].filter((field) => !known.has(field))),
    ownValues: new Set([...valuesOf(ofB)].flatMap(([value]) => (typeof value === 'boolean' ? [] : [String(value)]))),
    canaries: new Map(
      values.filter(([value]) => isDistinctive(value) && !others.includes(value)) as [string, string][],
    ),
    watch: await watchThroughApi(client, api, [a, b, empty]),
    tableOf: (type = 'API') => type,
    routineOf: () => undefined,
    explain: async () => undefined,
  };
}

/** Removes rows that another tenant made, which the API returns if there is a leak. */
function withoutForeignRows(holdings: Holdings, own: string, others: string): Holdings {
  const isForeign = (row: Row) =>
    Object.values(row).some((value) => isDistinctive(value) && others.includes(value) && !own.includes(value));
  return {
    ...holdings,
    rows: new Map([...holdings.rows].map(([type, rows]) => [type, rows.filter((row) => !isForeign(row))])),
  };
}

/**
 * Watches the rows that each user reads through the API. `restore` reads them again only after a successful mutation.
 */
async function watchThroughApi(client: Client, api: Api, accounts: readonly Account[]): Promise<Watch> {
  const states = new Map<string | undefined, Holdings>();
  for (const actor of accounts) states.set(actor.id, await readHoldings(client, api, actor));
  let since = client.writes;
  return {
    changeOf: async (actor: ApiActor) => {
      const before = states.get(actor.id);
      const now = await readHoldings(client, api, actor);
      if (now.text === before?.text) return undefined;
      const [removed, added] = [missingRows(before, now), missingRows(now, before)];
      if (removed.length + added.length === 0) return undefined;
      return `read again as ${actor.name}, through the API: was ${removed.join('; ') || 'not there'}, is ${added.join('; ') || 'gone'}`;
    },
    makeRoom: async () => {},
    restore: async () => {
      if (client.writes === since) return;
      for (const actor of accounts) {
        const before = states.get(actor.id) as Holdings;
        await repair(client, api, actor, before);
        // Times and values that no field accepts are not restored, so the current state is the new reference.
        states.set(actor.id, await readHoldings(client, api, actor));
      }
      since = client.writes;
    },
  };
}

function missingRows(one: Holdings | undefined, other: Holdings | undefined): string[] {
  const all = (holdings: Holdings | undefined) =>
    [...(holdings?.rows ?? [])].flatMap(([type, rows]) => rows.map((row) => `${type} ${JSON.stringify(row)}`));
  const there = new Set(all(other));
  return all(one).filter((row) => !there.has(row));
}

/** @throws UsageError if A has no rows to attack. */
export function requireRows({ ofA }: AttackContextParts): void {
  const made = [...ofA.rows].some(([, rows]) => rows.length >= rowsPerType);
  if (!made)
    throw new UsageError(
      'A could not insert any row through the API, so nothing was attacked. Check that the API has a mutation that inserts rows.',
    );
}
