import type pg from 'pg';
import { type Catalog, readCatalog } from '../catalog.ts';
import type { Ownership } from '../ownership.ts';
import { near } from './affectedObjects.ts';
import type { Catch, Mutant, Proof, Verdict } from './mutant.ts';
import { mutantsOf } from './operators.ts';
import { hardeningRules } from './rules.ts';

/** Where mutants are made and attacked. */
export interface Arena {
  /** In a transaction, with the cast's rows, as a role that may do everything. */
  readonly client: pg.ClientBase;
  /** Of the sound schema. */
  readonly catalog: Catalog;
  readonly owners: ReadonlyMap<number, Ownership>;
  /** What the setting is for A. */
  readonly victim: string;
  /** Attack what is proven equivalent, too: an attack that succeeds or a control that fails shows a proof to be wrong. */
  readonly doubtProofs?: boolean | undefined;
  /**
   * Everything that leaks, and every control that fails, on the schema as it is now.
   *
   * @param catalog of the schema as it is now.
   * @param tables the names of what has to be attacked; undefined: everything.
   */
  attack(catalog: Catalog, tables: ReadonlySet<string> | undefined): Promise<readonly Catch[]>;
}

/**
 * Makes every mutant, one at a time, attacks it, and takes it back. What the catalog proves to be equivalent is not
 * attacked.
 *
 * @param chosen which mutants are made.
 */
export async function* runMutants(
  arena: Arena,
  chosen: (mutant: Mutant) => boolean = () => true,
): AsyncGenerator<Verdict> {
  const { client, catalog, owners } = arena;
  const mutants = mutantsOf(arena).filter(chosen);
  const known = new Set([...hardeningRules(catalog, owners), ...(await attackSound(arena, mutants))].map(nameOf));
  for (const mutant of mutants) {
    const { id, kind, object, description, sql, proofs = [] } = mutant;
    const told = { id, kind, object, description, sql };
    const proof = await firstProven(client, proofs);
    if (proof && !arena.doubtProofs) {
      yield { ...told, outcome: 'equivalent', caught: [], reason: proof.words, proof: proof.query };
      continue;
    }
    const caught = (await attackMutant(arena, mutant)).filter((one) => !known.has(nameOf(one)));
    const contradicts = caught.some(({ attack }) => !attack.startsWith('rule: '));
    if (proof && !contradicts)
      yield { ...told, outcome: 'equivalent', caught, reason: proof.words, proof: proof.query };
    else if (caught.length > 0) yield { ...told, outcome: 'killed', caught };
    else
      yield {
        ...told,
        outcome: 'survived',
        caught,
        reason: 'Every attack was answered as before, every control worked, and no rule was broken.',
      };
  }
}

/** What is known of the sound schema: of a rule each departure by itself. */
const nameOf = ({ attack, table, evidence }: Catch) =>
  JSON.stringify([attack, table, ...(attack.startsWith('rule: ') ? [evidence] : [])]);

/** What leaks and fails without any mutant, near what the mutants change. */
function attackSound({ catalog, attack }: Arena, mutants: readonly Mutant[]): Promise<readonly Catch[]> {
  const changed = mutants.map(({ relations }) => relations);
  return attack(
    catalog,
    changed.includes(undefined)
      ? undefined
      : near(
          catalog,
          changed.flatMap((oids) => oids ?? []),
        ),
  );
}

async function firstProven(client: pg.ClientBase, proofs: readonly Proof[]): Promise<Proof | undefined> {
  for (const proof of proofs) {
    const { rows } = await client.query({ text: proof.query, rowMode: 'array' });
    if (rows[0]?.[0] === true) return proof;
  }
  return undefined;
}

async function attackMutant({ client, catalog, owners, attack }: Arena, { sql, relations }: Mutant): Promise<Catch[]> {
  await client.query('savepoint mutant');
  try {
    await client.query(sql);
    const changed = await readCatalog(client, catalog);
    return [...hardeningRules(changed, owners), ...(await attack(changed, relations && near(catalog, relations)))];
  } finally {
    await client.query('rollback to savepoint mutant; release savepoint mutant');
  }
}
