import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';

/** A node of Postgres' plan, as EXPLAIN (FORMAT JSON) gives it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly 'Actual Rows'?: number;
  /** Milliseconds of each loop, with those of the nodes below it. */
  readonly 'Actual Total Time'?: number;
  readonly 'Actual Loops'?: number;
  readonly Plans?: readonly PlanNode[];
  readonly [detail: string]: unknown;
}

/** How Postgres runs a statement for one tenant, policies included. */
export interface Plan {
  readonly statement: string;
  readonly values: readonly unknown[];
  /** As Postgres prints it. */
  readonly text: string;
  readonly tree: PlanNode;
}

/**
 * Explains a statement inside of a transaction, which stays as it was.
 *
 * @param analyze whether it is run for its times; what it changes is undone.
 */
export async function explainStatement(
  client: pg.Client,
  { text, values = [] }: Statement,
  analyze: boolean,
): Promise<Plan> {
  const options = analyze ? 'verbose, settings, analyze, buffers' : 'verbose, settings';
  const explain = async <Row>(format: 'text' | 'json') => {
    await client.query('savepoint explained');
    try {
      // The extended protocol takes one statement: what is behind a semicolon is an error.
      const query = {
        text: `explain (${options}, format ${format}) ${text}`,
        values: [...values],
        queryMode: 'extended',
      };
      return (await client.query<{ 'QUERY PLAN': Row }>(query)).rows.map((row) => row['QUERY PLAN']);
    } finally {
      await client.query('rollback to savepoint explained');
    }
  };
  const lines = await explain<string>('text');
  const [json] = await explain<[{ Plan: PlanNode }]>('json');
  return { statement: text, values, text: lines.join('\n'), tree: (json as [{ Plan: PlanNode }])[0].Plan };
}
