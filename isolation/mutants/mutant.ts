import type { Catalog } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';

/** What a kind of mutant is made from. */
export interface MutantTarget {
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** What the setting is for A, whom B must not become. */
  readonly victim: string;
}

/**
 * Why a mutant changes nothing for the role. The query answers true on the schema as it is, before the mutant, and then
 * the words are proven.
 */
export interface Proof {
  readonly words: string;
  readonly query: string;
}

/** One weakening of the schema, as a kind of mutant yields it. */
interface Change {
  /** What is made weaker: a policy, table, view, function or constraint, as the catalog names it. */
  readonly object: string;
  /** A sentence on what it does to whom. */
  readonly description: string;
  /** Statements that a transaction can hold. */
  readonly sql: string;
  /** The relations that are attacked then, with what is next to them; all where the change is about no relation. */
  readonly relations?: readonly number[];
  /** Any one of these proves that the mutant is equivalent. */
  readonly proofs?: readonly Proof[];
}

/** A way to make things weaker; its name is what `kinds` calls it. */
export type Kind = (ground: MutantTarget) => Iterable<Change>;

export interface Mutant extends Change {
  /** Kind and object: stable from run to run. */
  readonly id: string;
  readonly kind: string;
}

/** An attack, a control or a rule that answers differently once the mutant is there. */
export interface Catch {
  readonly attack: string;
  readonly table: string;
  readonly evidence: string;
}

/** What came of a mutant. */
export interface Verdict extends Pick<Mutant, 'id' | 'kind' | 'object' | 'description' | 'sql'> {
  readonly outcome: 'killed' | 'survived' | 'equivalent';
  readonly caught: readonly Catch[];
  /** Of a survivor, why nothing saw it; of an equivalent one, why it changes nothing. */
  readonly reason?: string;
  /** What answered true and so proved the reason. */
  readonly proof?: string;
}
