import type { Catalog } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';

/** The schema that mutation operators weaken. */
export interface MutantTarget {
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** The value of the setting for tenant A. A mutated helper returns it to every caller. */
  readonly victim: string;
}

/**
 * A proof that a mutant changes nothing for the role. The query runs on the schema without the mutant. If it returns
 * true, the reason holds.
 */
export interface EquivalenceProof {
  readonly reason: string;
  readonly query: string;
}

/** One weakening of the schema. */
interface Change {
  /** The name of the weakened object, such as a policy, table, view, function or constraint. */
  readonly object: string;
  /** A sentence that describes the effect. */
  readonly description: string;
  /** Statements that can run in a transaction. */
  readonly sql: string;
  /** The oids of the relations to attack, with the objects that they affect. If undefined, all objects are attacked. */
  readonly relations?: readonly number[];
  /** Each of these proofs suffices to show that the mutant is equivalent. */
  readonly proofs?: readonly EquivalenceProof[];
}

/** Yields every change of one type that applies to the schema. */
export type MutationOperator = (target: MutantTarget) => Iterable<Change>;

export interface Mutant extends Change {
  /** The operator and the object. It is the same in every run. */
  readonly id: string;
  /** The name of the mutation operator. */
  readonly kind: string;
}

/** An attack, a control or a hardening rule whose result differs because of a mutant. */
export interface Catch {
  readonly attack: string;
  readonly table: string;
  readonly evidence: string;
}

/** The result for one mutant. */
export interface Verdict extends Pick<Mutant, 'id' | 'kind' | 'object' | 'description' | 'sql'> {
  readonly outcome: 'killed' | 'survived' | 'equivalent';
  readonly caught: readonly Catch[];
  /** The reason why nothing detected a survivor, or why an equivalent mutant changes nothing. */
  readonly reason?: string;
  /** The query that returned true and so proved the reason. */
  readonly proof?: string;
}
