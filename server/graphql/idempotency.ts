import { createHash } from 'node:crypto';
import { GraphQLError } from 'postgraphile/graphql';
import { tooComplex } from './complexity/complexity.ts';
import type { MutationClient } from './mutationClient.ts';
import { fits } from './output/answer.ts';
import type { ChargedRequest } from './output/timeSlice.ts';
import { parseExact } from './types/exactJson.ts';

/** A mutation that its client may repeat. The same key with the same operation runs once. */
export interface IdempotentRequest {
  readonly key: string;
  /** The SHA-256 of the operation, its variables and its organization. */
  readonly hash: Buffer;
}

/** Valid values of `Idempotency-Key`: visible ASCII. */
const keyPattern = /^[!-~]{1,255}$/;

/**
 * Validates an idempotency key and hashes the operation.
 *
 * @param key the value of the header `Idempotency-Key`.
 * @throws GraphQLError BAD_USER_INPUT when the key is invalid.
 */
export function idempotentRequest(
  key: string,
  operation: {
    text: string;
    name: string | null | undefined;
    variables: unknown;
    organizationId: string | undefined;
  },
): IdempotentRequest {
  if (!keyPattern.test(key)) {
    throw new GraphQLError('Idempotency-Key must have 1 to 255 visible ASCII characters', {
      extensions: { code: 'BAD_USER_INPUT' },
    });
  }
  const { text, name = null, variables = null, organizationId } = operation;
  // Keys belong to the user. The organization is part of the hash, so that none gets the stored answer of another.
  const parts = [text, name, variables, ...(organizationId === undefined ? [] : [organizationId])];
  return { key, hash: createHash('sha256').update(JSON.stringify(parts)).digest() };
}

/**
 * Claims the key in the mutation's transaction, before the mutation runs. A concurrent request with the same key waits
 * until this transaction ends.
 *
 * A key is unclaimed, then claimed (`claim`), then answered (`keepAnswer`). It is unclaimed again after a rollback or 24
 * hours.
 *
 * @returns the stored answer if the key was used in the last 24 hours; `undefined` for a new key.
 * @throws GraphQLError CONFLICT when the key was used for another operation; TOO_COMPLEX when the tenant has too many keys
 *   or too large answers of the last 24 hours.
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
    // pg_column_size() returns the stored, compressed size without reading the value.
    text: `insert into app_public.idempotency_keys (key, request_hash)
      select $1, $2 where (
        select count(*) < $3 and coalesce(sum(pg_column_size(answer)), 0) < $4 from app_public.idempotency_keys
      )
      on conflict do nothing`,
    values: [key, hash, idempotencyLimits.keys, idempotencyLimits.bytes],
  });
  if (rowCount === 1) return undefined;
  // The row lock makes this transaction write. So its commit waits for the synchronous standby, which then also has the
  // commit that created the row. A read-only transaction would repeat an answer that a failover can still lose.
  const { rows } = await client.query<{ same: boolean; answer: string }>({
    name: 'idempotency_answer',
    text: 'select request_hash = $2 as same, answer from app_public.idempotency_keys where key = $1 for update',
    values: [key, hash],
  });
  const [done] = rows;
  if (!done) {
    throw tooComplex(
      `mutations with an Idempotency-Key in 24 hours are more than ${idempotencyLimits.keys}, or their answers more than ${idempotencyLimits.bytes} bytes`,
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
 * The bytes of one answer, and the keys and stored bytes of one tenant within 24 hours. Concurrent mutations of the tenant
 * may exceed `bytes` by one answer each.
 */
export const idempotencyLimits = { answer: 2_000_000, keys: 50_000, bytes: 64_000_000 } as const;

/**
 * Stores the answer in the mutation's transaction.
 *
 * @param request is charged for the time of measuring the answer.
 * @throws GraphQLError TOO_COMPLEX when the answer is too large; the caller rolls back the mutation.
 */
export async function keepAnswer(
  client: MutationClient,
  { key }: IdempotentRequest,
  data: unknown,
  request: ChargedRequest,
): Promise<void> {
  // Measure first, because JSON.stringify() of a large answer cannot be interrupted.
  if (!(await fits(data, request, idempotencyLimits.answer))) {
    throw tooComplex(
      `the answer to a mutation with an Idempotency-Key has more than ${idempotencyLimits.answer} bytes`,
    );
  }
  await client.query({
    name: 'idempotency_keep',
    text: 'update app_public.idempotency_keys set answer = $2 where key = $1',
    values: [key, JSON.stringify(data)],
  });
}

/** The value of `extensions.reason` of an error that becomes a response with status 409. */
export const keyReused = 'IDEMPOTENCY_KEY_REUSED';
