import { UsageError } from '../../common/usageError.ts';
import { type Catalog, readCatalog } from '../catalog.ts';
import type { Control } from '../controls.ts';
import { connected, type ProveSqlOptions, runControls } from '../proveSql.ts';
import { createSeedData } from '../seedData/createSeedData.ts';
import type { SeedData } from '../seedData/seedData.ts';
import { attackSql } from '../sql/attackSql.ts';
import { ownerErrorsOf } from '../sql/refusals.ts';
import type { Catch, Mutant, Verdict } from './mutant.ts';
import { type MutantContext, runMutants } from './run.ts';

export interface ProveMutantsOptions extends ProveSqlOptions {
  /** Selects the mutants; all by default. */
  readonly chosen?: (mutant: Mutant) => boolean;
  /** Selects the attacks that can kill a mutant, by name; all by default. Controls and hardening rules always count. */
  readonly attacks?: (name: string) => boolean;
  /** See `MutantContext`. */
  readonly attackEquivalent?: boolean;
}

/**
 * Tests every mutant of a schema with SQL attacks, controls and hardening rules. Everything runs in one transaction,
 * which is rolled back. So the database has no seed data before or after the run.
 *
 * @throws UsageError if a tenants' table has no rows, because its mutants cannot be judged.
 */
export async function proveMutants(options: ProveMutantsOptions): Promise<Verdict[]> {
  const {
    adminUrl,
    scope,
    searchPath,
    progress = () => {},
    chosen = () => true,
    attacks = () => true,
    only: isSelected = () => true,
  } = options;
  return connected(adminUrl, searchPath, async (client) => {
    await client.query('savepoint empty');
    const catalog = await readCatalog(client, scope);
    const seedData = await createSeedData(client, catalog, options.seedData);
    requireRows(catalog, seedData);
    // Postgres refuses to alter a table that has pending deferred constraint checks.
    await client.query('set constraints all immediate');
    const verdicts: Verdict[] = [];
    // The first run, of the schema without mutants, shows what A can do.
    let working: ReadonlySet<string> | undefined;
    const keyOf = ({ table, operation, column, statement }: Control) =>
      JSON.stringify([table, operation, column, statement.split('\n', 1)]);
    const context: MutantContext = {
      client,
      catalog,
      owners: seedData.owners,
      victim: seedData.a.id,
      attackEquivalent: options.attackEquivalent,
      attack: async (changed, tables) => {
        const only = (name: string) => isSelected(name) && (tables?.has(name) ?? true);
        const caught: Catch[] = [];
        const controls = await runControls(client, changed, seedData, { ...options, only });
        working ??= new Set(controls.filter(({ works }) => works).map(keyOf));
        const ownerErrors = ownerErrorsOf(controls);
        for await (const { attack, table, outcome, evidence = '' } of attackSql(client, changed, seedData, {
          ...options,
          only,
          ownerErrors,
        })) {
          if (outcome === 'leaked' && attacks(attack)) caught.push({ attack, table, evidence });
        }
        for (const control of controls) {
          const { table, operation, works, statement, answer } = control;
          if (works || !working.has(keyOf(control))) continue;
          caught.push({
            attack: `control: ${operation} of one's own`,
            table,
            evidence: `A can no longer do this with its own rows: ${statement} (${answer})`,
          });
        }
        return caught;
      },
    };
    const affectsSelected = ({ relations }: Mutant) =>
      relations?.some((oid) => isSelected(catalog.relations.get(oid)?.name ?? '')) ?? true;
    for await (const verdict of runMutants(context, (mutant) => affectsSelected(mutant) && chosen(mutant))) {
      verdicts.push(verdict);
      progress(`${verdicts.length} mutants, ${verdict.outcome}: ${verdict.id}`);
    }
    await client.query('rollback to savepoint empty');
    return verdicts;
  });
}

/** Rejects tables without rows. Attacks on such a table show nothing, so all of its mutants would survive. */
function requireRows({ relations }: Catalog, { problems, owners }: SeedData): void {
  const found = [...problems].filter(([oid]) => ['own', 'parent'].includes(owners.get(oid)?.kind ?? ''));
  if (found.length === 0) return;
  const lines = found.map(([oid, problem]) => `  ${relations.get(oid)?.name}: ${problem}`);
  throw new UsageError(
    `Mutants of these tables cannot be judged, because the tables have no rows:\n${lines.join('\n')}\nWrite an INSERT statement for each table in isolation/fixtures/<table>.sql; see docs/tester.md.`,
  );
}
