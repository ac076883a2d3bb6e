import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';
import { constant, type ExecutableStep, UnbatchedStep } from 'postgraphile/grafast';
import { isReadable } from './key.ts';

/**
 * The edge of a row in a mutation's payload, built from the mutation's result. PostGraphile would read the row again by
 * its primary key, which needs the SELECT grant on the key. Such an edge has no cursor.
 */
export class ResultEdgeStep extends UnbatchedStep {
  override isSyncAndSafe = true;

  constructor($result: ExecutableStep) {
    super();
    this.addDependency($result);
  }

  /** Returns the plan of a field of the edge. Grafast calls it with the field's name. */
  get(field: string): ExecutableStep {
    return field === 'node' ? this.getDepOptions(0).step : constant(null);
  }

  unbatchedExecute(_extra: unknown, row: unknown): object | null {
    return row == null ? null : {};
  }
}

/** Tells whether tenants may read the primary key of the table. */
export function hasReadableKey({ uniques, codec }: PgResource): boolean {
  const key = uniques.find(({ isPrimary }) => isPrimary)?.attributes ?? [];
  return key.every((name) => isReadable(codec as PgCodecWithAttributes, name));
}
