import { createHash } from 'node:crypto';
import { GraphQLError } from 'postgraphile/graphql';
import { tooComplex } from './limits/limits.ts';
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

/** What is kept: bytes of one answer, and keys and stored bytes of one tenant within 24 hours. */
export const kept = { answer: 2_000_000, keys: 10_000, bytes: 64_000_000 } as const;

/**
 * Keeps the answer, in the mutation's transaction.
 *
 * @throws GraphQLError TOO_COMPLEX where the answer, or what the tenant has kept in 24 hours, is too much; the mutation
 *   has to be rolled back.
 */
export async function keepAnswer(client: MutationClient, { key }: IdempotentRequest, data: unknown): Promise<void> {
  const answer = JSON.stringify(data);
  if (Buffer.byteLength(answer) > kept.answer) {
    throw tooComplex(`the answer to a mutation with an Idempotency-Key has more than ${kept.answer} bytes`);
  }
  const { rowCount } = await client.query({
    name: 'idempotency_keep',
    // pg_column_size() is what is stored, compressed, and reads none of it.
    text: `update app_public.idempotency_keys set answer = $2
      where key = $1 and (
        select count(*) <= $3 and coalesce(sum(pg_column_size(answer)), 0) + pg_column_size($2::text) <= $4
        from app_public.idempotency_keys
      )`,
    values: [key, answer, kept.keys, kept.bytes],
  });
  if (rowCount === 1) return;
  throw tooComplex(
    `mutations with an Idempotency-Key are more than ${kept.keys}, or their answers more than ${kept.bytes} bytes, in 24 hours`,
  );
}

/** `extensions.reason` of the error that is answered with 409. */
export const keyReused = 'IDEMPOTENCY_KEY_REUSED';
