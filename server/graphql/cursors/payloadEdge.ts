import type { PgCodecWithAttributes, PgResource } from 'postgraphile/@dataplan/pg';
import { constant, type ExecutableStep, UnbatchedStep } from 'postgraphile/grafast';
import { isReadable } from './key.ts';

/**
 * The edge of a row that a mutation answers with, made of what the mutation returned. PostGraphile reads the row again by
 * its primary key, which needs SELECT on the key. A row that is found by no key has no cursor.
 */
export class ResultEdgeStep extends UnbatchedStep {
  override isSyncAndSafe = true;

  constructor($result: ExecutableStep) {
    super();
    this.addDependency($result);
  }

  /** The plan of a field of the edge, which Grafast asks for by its name. */
  get(field: string): ExecutableStep {
    return field === 'node' ? this.getDepOptions(0).step : constant(null);
  }

  unbatchedExecute(_extra: unknown, row: unknown): object | null {
    return row == null ? null : {};
  }
}

/** Whether tenants may read the primary key of the table. */
export function hasReadableKey({ uniques, codec }: PgResource): boolean {
  const key = uniques.find(({ isPrimary }) => isPrimary)?.attributes ?? [];
  return key.every((name) => isReadable(codec as PgCodecWithAttributes, name));
}
