import { createHash } from 'node:crypto';
import { GraphQLError } from 'postgraphile/graphql';
import type { MutationClient } from './mutationClient.ts';

/** A mutation that its client may send again: the same key with the same operation is done once. */
export interface IdempotentRequest {
  readonly key: string;
  /** SHA-256 of the operation and its variables. */
  readonly hash: Buffer;
}

/** `Idempotency-Key` as it may be: visible ASCII. */
const keyPattern = /^[!-~]{1,255}$/;

/**
 * @param key the header's value.
 * @throws GraphQLError when the key is none.
 */
export function idempotentRequest(
  key: string,
  operation: { text: string; name: string | null | undefined; variables: unknown },
): IdempotentRequest {
  if (!keyPattern.test(key)) {
    throw new GraphQLError('Idempotency-Key must have 1 to 255 visible ASCII characters', {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  const parts = JSON.stringify([operation.text, operation.name ?? null, operation.variables ?? null]);
  return { key, hash: createHash('sha256').update(parts).digest() };
}

/**
 * Takes the key for this mutation, in its transaction. Who comes with the same key meanwhile waits for that one's end.
 *
 * @returns what was answered when the mutation was done, within the last 24 hours; undefined where it is new.
 * @throws GraphQLError CONFLICT when the key was used for another operation.
 */
export async function claim(
  client: MutationClient,
  { key, hash }: IdempotentRequest,
): Promise<{ data: Record<string, unknown> } | undefined> {
  await client.query({
    name: 'idempotency_expire',
    text: "delete from app_public.idempotency_keys where created_at < now() - interval '24 hours'",
  });
  const { rowCount } = await client.query({
    name: 'idempotency_claim',
    text: 'insert into app_public.idempotency_keys (key, request_hash) values ($1, $2) on conflict do nothing',
    values: [key, hash],
  });
  if (rowCount === 1) return undefined;
  // The row lock makes this transaction write: so its commit waits for a synchronous standby, and with it for the commit that
  // made the row. A transaction that only reads would repeat an answer that a failover can still lose.
  const { rows } = await client.query<{ same: boolean; answer: string }>({
    name: 'idempotency_answer',
    text: 'select request_hash = $2 as same, answer from app_public.idempotency_keys where key = $1 for update',
    values: [key, hash],
  });
  const [done] = rows;
  if (!done?.same) {
    throw new GraphQLError('This Idempotency-Key was used for another request.', {
      extensions: { code: 'CONFLICT', reason: keyReused },
    });
  }
  return { data: JSON.parse(done.answer) };
}

/** Keeps the answer, in the mutation's transaction. */
export async function keepAnswer(client: MutationClient, { key }: IdempotentRequest, data: unknown): Promise<void> {
  await client.query({
    name: 'idempotency_keep',
    text: 'update app_public.idempotency_keys set answer = $2 where key = $1',
    values: [key, JSON.stringify(data)],
  });
}

/** `extensions.reason` of the error that is answered with 409. */
export const keyReused = 'IDEMPOTENCY_KEY_REUSED';
