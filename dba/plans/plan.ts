import type pg from 'pg';
import type { Statement } from '../../postgres/statement.ts';

/** A node of a plan in the format of EXPLAIN (FORMAT JSON). */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Plan Rows': number;
  readonly 'Total Cost': number;
  readonly 'Actual Rows'?: number;
  /** Milliseconds per loop, including the nodes below. */
  readonly 'Actual Total Time'?: number;
  readonly 'Actual Loops'?: number;
  readonly Plans?: readonly PlanNode[];
  readonly [detail: string]: unknown;
}

/** The plan of a statement for one tenant, policies included. */
export interface Plan {
  readonly statement: string;
  readonly values: readonly unknown[];
  /** The output of EXPLAIN (FORMAT TEXT). */
  readonly text: string;
  readonly tree: PlanNode;
}

/**
 * Explains a statement inside the current transaction, whose state stays unchanged.
 *
 * @param analyze whether to run the statement to measure times. Its changes are rolled back.
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
      // The extended protocol accepts only one statement, so text behind a semicolon is an error and does not run.
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
