import type pg from 'pg';
import { type Catalog, readCatalog } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';
import { affectedObjects } from './affectedObjects.ts';
import { hardeningRules } from './hardeningRules.ts';
import type { Catch, EquivalenceProof, Mutant, Verdict } from './mutant.ts';
import { mutantsOf } from './operators.ts';

/** The database with seed data in which mutants are created and attacked. */
export interface MutantContext {
  /** In a transaction that contains the seed data, as a role that bypasses row-level security. */
  readonly client: pg.ClientBase;
  /** The catalog of the schema without mutants. */
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** The value of the setting for tenant A. */
  readonly victim: string;
  /** Whether to attack mutants with a valid proof, too. A leak or a failed control shows that the proof is wrong. */
  readonly attackEquivalent?: boolean | undefined;
  /**
   * Finds all leaks and all failed controls of the current schema.
   *
   * @param catalog the catalog of the current schema.
   * @param tables the names of the objects to attack; undefined attacks all.
   */
  attack(catalog: Catalog, tables: ReadonlySet<string> | undefined): Promise<readonly Catch[]>;
}

/**
 * Tests mutants one at a time. Each mutant passes these steps:
 *
 * 1. If a proof holds, the mutant is equivalent and is not attacked, unless `attackEquivalent` is set.
 * 2. Its SQL runs in a savepoint, the affected objects are attacked, and the savepoint is rolled back.
 * 3. A result that the schema without mutants does not have kills the mutant. Without such a result it survives.
 *
 * @param chosen selects the mutants.
 */
export async function* runMutants(
  context: MutantContext,
  chosen: (mutant: Mutant) => boolean = () => true,
): AsyncGenerator<Verdict> {
  const { client, catalog, owners } = context;
  const mutants = mutantsOf(context).filter(chosen);
  const soundCatches = [...hardeningRules(catalog, owners), ...(await attackSound(context, mutants))];
  const known = new Set(soundCatches.map(keyOf));
  for (const mutant of mutants) {
    const { id, kind, object, description, sql, proofs = [] } = mutant;
    const about = { id, kind, object, description, sql };
    const proof = await firstProven(client, proofs);
    if (proof && !context.attackEquivalent) {
      yield { ...about, outcome: 'equivalent', caught: [], reason: proof.reason, proof: proof.query };
      continue;
    }
    const caught = (await attackMutant(context, mutant)).filter((one) => !known.has(keyOf(one)));
    const contradictsProof = caught.some(({ attack }) => !attack.startsWith('rule: '));
    if (proof && !contradictsProof)
      yield { ...about, outcome: 'equivalent', caught, reason: proof.reason, proof: proof.query };
    else if (caught.length > 0) yield { ...about, outcome: 'killed', caught };
    else
      yield {
        ...about,
        outcome: 'survived',
        caught,
        reason: 'Every attack got the same answer as before, every control worked, and no hardening rule was violated.',
      };
  }
}

/** Identifies a catch. One rule can have several violations on a table, so its key includes the evidence. */
const keyOf = ({ attack, table, evidence }: Catch) =>
  JSON.stringify([attack, table, ...(attack.startsWith('rule: ') ? [evidence] : [])]);

/** Finds the leaks and failed controls of the schema without mutants, for the objects that the mutants affect. */
function attackSound({ catalog, attack }: MutantContext, mutants: readonly Mutant[]): Promise<readonly Catch[]> {
  const changed = mutants.map(({ relations }) => relations);
  return attack(
    catalog,
    changed.includes(undefined)
      ? undefined
      : affectedObjects(
          catalog,
          changed.flatMap((oids) => oids ?? []),
        ),
  );
}

async function firstProven(
  client: pg.ClientBase,
  proofs: readonly EquivalenceProof[],
): Promise<EquivalenceProof | undefined> {
  for (const proof of proofs) {
    const { rows } = await client.query({ text: proof.query, rowMode: 'array' });
    if (rows[0]?.[0] === true) return proof;
  }
  return undefined;
}

async function attackMutant(
  { client, catalog, owners, attack }: MutantContext,
  { sql, relations }: Mutant,
): Promise<Catch[]> {
  await client.query('savepoint mutant');
  try {
    await client.query(sql);
    const changed = await readCatalog(client, catalog);
    const affected = relations && affectedObjects(catalog, relations);
    return [...hardeningRules(changed, owners), ...(await attack(changed, affected))];
  } finally {
    await client.query('rollback to savepoint mutant; release savepoint mutant');
  }
}
