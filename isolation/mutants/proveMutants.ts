import { UsageError } from '../../common/usageError.ts';
import { type Catalog, readCatalog } from '../catalog.ts';
import { connected, type ProveSqlOptions, runControls } from '../proveSql.ts';
import { createSeedData } from '../seedData/createSeedData.ts';
import type { SeedData } from '../seedData/seedData.ts';
import { attackSql } from '../sql/attackSql.ts';
import { ownerErrorsOf } from '../sql/refusals.ts';
import type { Catch, Mutant, Verdict } from './mutant.ts';
import { runMutants } from './run.ts';

export interface ProveMutantsOptions extends ProveSqlOptions {
  /** Which mutants are made; all where it is missing. */
  readonly chosen?: (mutant: Mutant) => boolean;
  /** Which attacks are made, by name; all where it is missing. Controls and rules are not left out. */
  readonly attacks?: (name: string) => boolean;
  /** See Arena. */
  readonly doubtProofs?: boolean;
}

/**
 * Makes the schema weaker in every way, one at a time, and attacks it with statements. The database has no rows of the
 * cast yet, and has none afterwards: all of it happens in one transaction, which is taken back.
 */
export async function proveMutants(options: ProveMutantsOptions): Promise<Verdict[]> {
  const {
    adminUrl,
    scope,
    searchPath,
    progress = () => {},
    chosen = () => true,
    attacks = () => true,
    only: isMeant = () => true,
  } = options;
  return connected(adminUrl, searchPath, async (client) => {
    await client.query('savepoint empty');
    const catalog = await readCatalog(client, scope);
    const cast = await createSeedData(client, catalog, options.seedData);
    demandRows(catalog, cast);
    // Constraints that are checked at the end would keep tables from being altered.
    await client.query('set constraints all immediate');
    const verdicts: Verdict[] = [];
    const arena = {
      ...{ client, catalog, owners: cast.owners, victim: cast.a.id, doubtProofs: options.doubtProofs },
      attack: async (changed: typeof catalog, tables: ReadonlySet<string> | undefined) => {
        const only = (name: string) => isMeant(name) && (tables?.has(name) ?? true);
        const caught: Catch[] = [];
        const controls = await runControls(client, changed, cast, { ...options, only });
        const broken = ownerErrorsOf(controls);
        for await (const { attack, table, outcome, evidence = '' } of attackSql(client, changed, cast, {
          ...options,
          only,
          ownerErrors: broken,
        })) {
          if (outcome === 'leaked' && attacks(attack)) caught.push({ attack, table, evidence });
        }
        for (const { table, operation, works, statement, answer } of controls) {
          if (works) continue;
          caught.push({
            attack: `control: ${operation} of one's own`,
            table,
            evidence: `A can no longer do what it could: ${statement} (${answer})`,
          });
        }
        return caught;
      },
    };
    const isAbout = ({ relations }: Mutant) =>
      relations?.some((oid) => isMeant(catalog.relations.get(oid)?.name ?? '')) ?? true;
    for await (const verdict of runMutants(arena, (mutant) => isAbout(mutant) && chosen(mutant))) {
      verdicts.push(verdict);
      progress(`${verdicts.length} mutants, ${verdict.outcome}: ${verdict.id}`);
    }
    await client.query('rollback to savepoint empty');
    return verdicts;
  });
}

/** A mutant of a table without rows would survive, whatever it is. */
function demandRows({ relations }: Catalog, { problems, owners }: SeedData): void {
  const found = [...problems].filter(([oid]) => ['own', 'parent'].includes(owners.get(oid)?.kind ?? ''));
  if (found.length === 0) return;
  const lines = found.map(([oid, problem]) => `  ${relations.get(oid)?.name}: ${problem}`);
  throw new UsageError(
    `Mutants of these tables cannot be judged:\n${lines.join('\n')}\nWrite an insert for each as isolation/fixtures/<table>.sql; docs/tester.md says how.`,
  );
}
