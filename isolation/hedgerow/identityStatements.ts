import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';
import { Identity } from '../../server/tenancy/identity.ts';
import type { Attempt } from '../attempt.ts';
import type { Control } from '../controls.ts';
import type { Verdict } from '../mutants/mutant.ts';
import { connected } from '../proveSql.ts';
import { weakenings } from './weakenings.ts';

/** The name of the statements in reports. */
const table = 'identity statements';

interface User {
  readonly id: string;
  readonly sessionId: string;
  readonly organizationId: string;
}

const issuer = 'https://issuer.example.com';
const now = () => Math.floor(Date.now() / 1000);

/** Each way to sign in: the identity of the user `id` with the session or the external token of `by`. */
const signIns: Readonly<Record<string, (id: string, by: User) => Identity>> = {
  'a session': (id, by) => Identity.tenant(id, by.sessionId),
  'an account': (id, by) => Identity.account(id, by.sessionId),
  'an external token': (id, by) => Identity.externalTenant(id, { issuer, subject: by.id, issuedAt: now() }),
  'an external account': (id, by) => Identity.externalAccount(id, { issuer, subject: by.id, issuedAt: now() }),
};

interface Result {
  readonly attempts: readonly Attempt[];
  readonly controls: readonly Control[];
}

/**
 * Attacks the statements with which the server gives a transaction its identity: as a user who is no member of an
 * organization, as one who has signed out, and with the session of another. Everything is rolled back.
 *
 * @param hasMutants whether to weaken the statements in every known way, too.
 */
export function proveIdentityStatements(
  adminUrl: string,
  hasMutants: boolean,
): Promise<Result & { readonly mutants: readonly Verdict[] }> {
  return connected(adminUrl, 'pg_catalog', async (client) => {
    await client.query('savepoint identities');
    const users = await createUsers(client);
    const result = await attack(client, users, (text) => text);
    const mutants: Verdict[] = [];
    for (const { change, ...about } of hasMutants ? weakenings : []) {
      const { attempts, controls } = await attack(client, users, change);
      const caught = [
        ...attempts.filter(({ outcome }) => outcome === 'leaked'),
        ...controls.filter(({ works }) => !works).map((control) => ({ ...control, attack: 'control' })),
      ].map((one) => ({ attack: one.attack, table, evidence: one.answer }));
      const sql = change(signIns['a session']?.('', users.a).actingFor(users.a.organizationId).statement.text ?? '');
      mutants.push({
        ...about,
        kind: 'weaken the identity statement',
        id: `weaken the identity statement: ${about.object}`,
        sql,
        outcome: caught.length > 0 ? 'killed' : 'survived',
        caught,
        ...(caught.length === 0 && { reason: 'Every statement got the same answer as before.' }),
      });
    }
    await client.query('rollback to savepoint identities');
    return { ...result, mutants };
  });
}

type Users = Awaited<ReturnType<typeof createUsers>>;

/** Creates users who own an organization each, and a viewer of A's. */
async function createUsers(client: pg.ClientBase) {
  const create = async (): Promise<User> => {
    const user = { id: randomUUID(), sessionId: randomUUID(), organizationId: randomUUID() };
    const { id, sessionId, organizationId } = user;
    const name = `prover-${id.slice(0, 8)}`;
    await client.query('insert into app_public.users (id, email, username) values ($1, $2, $3)', [
      id,
      `${name}@example.com`,
      name,
    ]);
    await client.query("insert into app_private.credentials (user_id, password_hash) values ($1, '$argon2id$')", [id]);
    await client.query(
      `insert into app_private.sessions (id, user_id, refresh_token_hash, family_hash, expires_at)
       values ($1::uuid, $2::uuid, sha256($1::uuid::text::bytea), sha256($2::uuid::text::bytea), now() + interval '1 day')`,
      [sessionId, id],
    );
    await client.query('insert into app_private.external_identities (issuer, subject, user_id) values ($1, $2, $3)', [
      issuer,
      id,
      id,
    ]);
    await client.query('insert into app_public.organizations (id, name) values ($1, $2)', [organizationId, name]);
    await join(user, organizationId, 'owner');
    return user;
  };
  const join = ({ id }: User, organizationId: string, role: string) =>
    client.query(
      `insert into app_public.organization_members (organization_id, user_id, username, role)
       select $2, id, username, $3 from app_public.users where id = $1`,
      [id, organizationId, role],
    );
  const a = await create();
  const b = await create();
  const viewer = await create();
  const signedOut = await create();
  const inactive = await create();
  await join(viewer, a.organizationId, 'viewer');
  await client.query('update app_private.sessions set revoked_at = now() where id = $1', [signedOut.sessionId]);
  await client.query("update app_private.external_identities set not_before = 'infinity' where user_id = $1", [
    signedOut.id,
  ]);
  await client.query('update app_private.credentials set is_active = false where user_id = $1', [inactive.id]);
  return { a, b, viewer, signedOut, inactive };
}

interface Case {
  readonly attack: string;
  readonly user: User;
  /** The user of the session or the external token; by default the same. */
  readonly by?: User;
  readonly organizationId: string | undefined;
  /** The settings of the transaction, or the SQLSTATE of a refusal. */
  readonly expected: string;
}

const settings = ({ id }: User, organizationId = '', role = '') => [id, organizationId, role].join(' ');

function casesFor({ a, b, viewer, signedOut, inactive }: Users): Case[] {
  return [
    {
      attack: 'own organization',
      user: b,
      organizationId: b.organizationId,
      expected: settings(b, b.organizationId, 'owner'),
    },
    {
      attack: 'as a viewer',
      user: viewer,
      organizationId: a.organizationId,
      expected: settings(viewer, a.organizationId, 'viewer'),
    },
    { attack: 'no organization', user: b, organizationId: undefined, expected: settings(b) },
    { attack: 'foreign organization', user: b, organizationId: a.organizationId, expected: 'HR403' },
    { attack: 'unknown organization', user: b, organizationId: randomUUID(), expected: 'HR403' },
    { attack: 'after signing out', user: signedOut, organizationId: signedOut.organizationId, expected: 'HR401' },
    { attack: 'after signing out, no organization', user: signedOut, organizationId: undefined, expected: 'HR401' },
    {
      attack: 'after signing out, foreign organization',
      user: signedOut,
      organizationId: a.organizationId,
      expected: 'HR401',
    },
    { attack: 'a deactivated user', user: inactive, organizationId: inactive.organizationId, expected: 'HR401' },
    { attack: 'with the session of another user', user: a, by: b, organizationId: a.organizationId, expected: 'HR401' },
  ];
}

async function attack(client: pg.ClientBase, users: Users, change: (text: string) => string): Promise<Result> {
  const attempts: Attempt[] = [];
  const controls: Control[] = [];
  for (const [name, signIn] of Object.entries(signIns)) {
    for (const { attack: what, user, by = user, organizationId, expected } of casesFor(users)) {
      const personal = signIn(user.id, by);
      const identity = organizationId === undefined ? personal : personal.actingFor(organizationId);
      for (const { text, values = [] } of statementsOf(identity)) {
        const changed = change(text);
        const answer = await run(client, { text: changed, values }, users.a.organizationId);
        const about = { table, operation: 'other' as const, statement: changed, answer };
        const attackName = `${what}, with ${name}`;
        if (!expected.startsWith('HR')) controls.push({ ...about, works: answer === expected });
        const isLeak = answer !== expected && !answer.startsWith('error ');
        attempts.push({
          ...about,
          attack: attackName,
          path: 'sql',
          outcome: isLeak ? 'leaked' : 'held',
          ...(isLeak && { evidence: `The transaction of ${attackName} has ${answer} instead of ${expected}.` }),
        });
      }
    }
  }
  return { attempts, controls };
}

/** All statements of an identity. They share their parameters. */
function statementsOf({ statement, pipelined, bypassing, readYourWrites }: Identity): Statement[] {
  return [statement, pipelined, bypassing, readYourWrites?.check, readYourWrites?.bypassing].filter(
    (one) => one !== undefined,
  );
}

/**
 * Runs a statement as the server's login role, on a connection whose earlier transaction acted for an organization.
 *
 * @returns the settings, the SQLSTATE of a refusal, or `error …`.
 */
async function run(
  client: pg.ClientBase,
  { text, values }: Pick<Statement, 'text' | 'values'>,
  earlier: string,
): Promise<string> {
  await client.query('savepoint identity');
  try {
    await client.query(
      "select set_config('app.current_organization_id', $1, true), set_config('app.current_member_role', 'owner', true)",
      [earlier],
    );
    await client.query('set local role hedgerow_authenticator');
    await client.query(text, values as unknown[]);
    const { rows } = await client.query<{ settings: string }>(
      `select concat_ws(' ', current_setting('app.current_user_id'), current_setting('app.current_organization_id'),
         current_setting('app.current_member_role')) as settings`,
    );
    return rows[0]?.settings ?? '';
  } catch (error) {
    const { code, message } = error as pg.DatabaseError;
    if (code === undefined) throw error;
    return code.startsWith('HR') ? code : `error ${code}: ${message}`;
  } finally {
    await client.query('rollback to savepoint identity; release savepoint identity');
  }
}
