import { UsageError } from '../../common/usageError.ts';
import { type Account, leave, register, signIn } from './accounts.ts';
import { fieldsOf, valuesOf, type Watch } from './attackContext.ts';
import type { Client, Member } from './client.ts';
import { operationOf } from './fields.ts';
import { repair } from './repair.ts';
import { type Holdings, type Row, readHoldings } from './rows.ts';
import { type Api, readApi } from './schema.ts';
import type { AttackContextParts } from './scratch.ts';
import type { RevokedActors } from './unauthenticated.ts';
import { fillings, questionOf, works } from './validArguments.ts';
import { isDistinctive } from './values.ts';

export interface RemoteOptions {
  /** Where the server shows nobody its schema: a file with it. */
  readonly schemaFile?: string | undefined;
  /** Accounts that are there already, with their passwords, in place of new ones. */
  readonly given?: { readonly a: Credentials; readonly b: Credentials } | undefined;
  readonly progress: (line: string) => void;
}

interface Credentials {
  readonly email: string;
  readonly password: string;
}

/** Rows of each type that a tenant makes. */
const enough = 2;

/** What `use` does with a cast on a server of which nothing is known but its address; its new accounts are deleted in the end. */
export async function withRemoteWorld<Result>(
  client: Client,
  { schemaFile, given, progress }: RemoteOptions,
  use: (
    world: AttackContextParts,
    revokedActors: RevokedActors,
    sessionOfA: string | undefined,
    secrets: string[],
  ) => Promise<Result>,
): Promise<Result> {
  const joined: Account[] = [];
  const join = async (name: string) => {
    const account = await register(client, name);
    joined.push(account);
    return account;
  };
  try {
    const a = given ? await signIn(client, 'A', given.a) : await join('A');
    const b = given ? await signIn(client, 'B', given.b) : await join('B');
    const empty = await join('C');
    const gone = await register(client, 'a user who is deleted');
    await leave(client, gone);
    const api = await readApi(client, a, schemaFile);
    progress('making rows through the API');
    const made = { a: await makeRows(client, api, a), b: await makeRows(client, api, b) };
    const world = await lookAround(client, api, { a, b, empty }, made);
    const revokedActors = { members: [gone], signer: undefined, sessionOfB: b.sessionId };
    return await use(world, revokedActors, a.sessionId, [a.email]);
  } finally {
    for (const account of joined) {
      await leave(client, account).catch((error) => progress(`${account.email} is left behind: ${error.message}`));
    }
  }
}

/** Makes rows of every type that has a field for it, those that others refer to first. @returns all that was sent. */
async function makeRows(client: Client, api: Api, member: Account): Promise<string> {
  const sent = [member.id, member.email, member.sessionId ?? ''];
  const known = { api, sampleRows: new Map<string, readonly Row[]>(), taken: new Set<string>() };
  for (let turn = 0; turn < enough; turn++) {
    for (const root of api.fields.filter((field) => operationOf(field) === 'insert')) {
      const holdings = await readHoldings(client, api, member);
      if (!root.entity || (holdings.rows.get(root.entity.name)?.length ?? 0) > turn) continue;
      let tries = 0;
      for (const filling of fillings(known, root, holdings)) {
        if (++tries > 40) break;
        const question = questionOf(root, api.rows, filling);
        const answer = await client.ask(member, question);
        if (!works(root, answer)) continue;
        sent.push(JSON.stringify(question.variables), answer.text);
        break;
      }
    }
  }
  return sent.join('\n');
}

async function lookAround(
  client: Client,
  api: Api,
  { a, b, empty }: { a: Account; b: Account; empty: Account },
  made: { a: string; b: string },
): Promise<AttackContextParts> {
  const read = async (member: Account, own: string, others: string) =>
    ownRows(await readHoldings(client, api, member), own, others);
  const ofA = await read(a, made.a, made.b);
  const ofB = await read(b, made.b, made.a);
  const ofEmpty = await read(empty, `${empty.id} ${empty.email}`, made.a + made.b);
  const others = JSON.stringify([[...ofB.rows], [...ofEmpty.rows]]) + made.b;
  const values = [...valuesOf(ofA)];
  const known = new Set([...fieldsOf(ofB), ...fieldsOf(ofEmpty)]);
  return {
    ...{ client, api, a, b, empty, ofA, ofB, ofEmpty },
    sampleRows: new Map(),
    taken: new Set([...values, ...valuesOf(ofB)].map(([value]) => JSON.stringify(value))),
    onlyA: new Set([...fieldsOf(ofA)].filter((field) => !known.has(field))),
    own: new Set([...valuesOf(ofB)].flatMap(([value]) => (typeof value === 'boolean' ? [] : [String(value)]))),
    canaries: new Map(
      values.filter(([value]) => isDistinctive(value) && !others.includes(value)) as [string, string][],
    ),
    watch: await watchThroughApi(client, api, [a, b, empty]),
    tableOf: (type = 'API') => type,
    routineOf: () => undefined,
    explain: async () => undefined,
  };
}

/** Without rows that another made: where there is a leak, they are shown, too. */
function ownRows(holdings: Holdings, own: string, others: string): Holdings {
  const isForeign = (row: Row) =>
    Object.values(row).some((value) => isDistinctive(value) && others.includes(value) && !own.includes(value));
  return {
    ...holdings,
    rows: new Map([...holdings.rows].map(([type, rows]) => [type, rows.filter((row) => !isForeign(row))])),
  };
}

/** What each member reads of their own is what they have. */
async function watchThroughApi(client: Client, api: Api, members: readonly Account[]): Promise<Watch> {
  const states = new Map<string | undefined, Holdings>();
  for (const member of members) states.set(member.id, await readHoldings(client, api, member));
  let since = client.writes;
  return {
    changeOf: async (member: Member) => {
      const before = states.get(member.id);
      const now = await readHoldings(client, api, member);
      if (now.text === before?.text) return undefined;
      const [gone, come] = [leftOver(before, now), leftOver(now, before)];
      if (gone.length + come.length === 0) return undefined;
      return `read again as ${member.name}, through the API: was ${gone.join('; ') || 'not there'}, is ${come.join('; ') || 'gone'}`;
    },
    makeRoom: async () => {},
    restore: async () => {
      if (client.writes === since) return;
      for (const member of members) {
        const before = states.get(member.id) as Holdings;
        await repair(client, api, member, before);
        // Times, and what no field takes, are as they are now.
        states.set(member.id, await readHoldings(client, api, member));
      }
      since = client.writes;
    },
  };
}

function leftOver(one: Holdings | undefined, other: Holdings | undefined): string[] {
  const all = (holdings: Holdings | undefined) =>
    [...(holdings?.rows ?? [])].flatMap(([type, rows]) => rows.map((row) => `${type} ${JSON.stringify(row)}`));
  const there = new Set(all(other));
  return all(one).filter((row) => !there.has(row));
}

/** @throws UsageError where there is nothing to attack. */
export function demandRows({ ofA }: AttackContextParts): void {
  const made = [...ofA.rows].some(([, rows]) => rows.length >= enough);
  if (!made) throw new UsageError('A could make no row through the API: nothing was attacked.');
}
