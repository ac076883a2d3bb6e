import { createHash } from 'node:crypto';
import { GraphQLError } from 'postgraphile/graphql';
import { tooComplex } from './complexity/complexity.ts';
import type { MutationClient } from './mutationClient.ts';
import { fits } from './output/answer.ts';
import type { Worked } from './output/timeSlice.ts';
import { parseExact } from './types/exactJson.ts';

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
 * @throws GraphQLError CONFLICT when the key was used for another operation; TOO_COMPLEX where the tenant has kept too
 *   much in 24 hours, before the mutation does anything.
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
    // pg_column_size() is what is stored, compressed, and reads none of it.
    text: `insert into app_public.idempotency_keys (key, request_hash)
      select $1, $2 where (
        select count(*) < $3 and coalesce(sum(pg_column_size(answer)), 0) < $4 from app_public.idempotency_keys
      )
      on conflict do nothing`,
    values: [key, hash, kept.keys, kept.bytes],
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
  if (!done) {
    throw tooComplex(
      `mutations with an Idempotency-Key are more than ${kept.keys}, or their answers more than ${kept.bytes} bytes, in 24 hours`,
    );
  }
  if (!done.same) {
    throw new GraphQLError('This Idempotency-Key was used for another request.', {
      extensions: { code: 'CONFLICT', reason: keyReused },
    });
  }
  return { data: parseExact(done.answer) as Record<string, unknown> };
}

/**
 * Bytes of one answer, and keys and stored bytes of one tenant within 24 hours. The last answers may go beyond `bytes`, by
 * as many as there are mutations of the tenant at the same time.
 */
export const kept = { answer: 2_000_000, keys: 50_000, bytes: 64_000_000 } as const;

/**
 * Keeps the answer, in the mutation's transaction.
 *
 * @param request measures the answer, in time slices that are charged to it.
 * @throws GraphQLError TOO_COMPLEX where the answer is too large; the mutation has to be rolled back.
 */
export async function keepAnswer(
  client: MutationClient,
  { key }: IdempotentRequest,
  data: unknown,
  request: Worked,
): Promise<void> {
  // Measured first, because JSON.stringify() of a large answer is not interrupted.
  if (!(await fits(data, request, kept.answer))) {
    throw tooComplex(`the answer to a mutation with an Idempotency-Key has more than ${kept.answer} bytes`);
  }
  await client.query({
    name: 'idempotency_keep',
    text: 'update app_public.idempotency_keys set answer = $2 where key = $1',
    values: [key, JSON.stringify(data)],
  });
}

/** `extensions.reason` of the error that is answered with 409. */
export const keyReused = 'IDEMPOTENCY_KEY_REUSED';
