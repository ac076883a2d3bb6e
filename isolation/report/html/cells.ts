import type { Attempt } from '../../attempt.ts';

/** A cell of the matrix: the outcome of one attack on one table. */
export interface Cell {
  readonly table: string;
  readonly attack: string;
  readonly path: Attempt['path'];
  readonly outcome: Attempt['outcome'];
  readonly leaks: number;
  readonly held: number;
  /** All leaks, then up to twelve of the other attempts. */
  readonly attempts: readonly Attempt[];
  /** The number of attempts without a leak that `attempts` leaves out. */
  readonly more: number;
}

const shown = 12;

export function cellsOf(attempts: readonly Attempt[]): Cell[] {
  const groups = Map.groupBy(attempts, ({ table, attack, path }) => JSON.stringify([path, attack, table]));
  return [...groups.values()].map((group) => {
    const of = (outcome: Attempt['outcome']) => group.filter((attempt) => attempt.outcome === outcome);
    const [leaked, held, none] = [of('leaked'), of('held'), of('not applicable')];
    const { table, attack, path } = group[0] as Attempt;
    const others = [...held, ...none];
    const outcome = leaked.length > 0 ? 'leaked' : held.length > 0 ? 'held' : 'not applicable';
    return {
      table,
      attack,
      path,
      outcome,
      leaks: leaked.length,
      held: held.length,
      attempts: [...leaked, ...others.slice(0, shown)],
      more: Math.max(0, others.length - shown),
    };
  });
}
