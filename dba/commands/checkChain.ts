import type { ExitCode } from '../../common/usageError.ts';
import { readCommitted } from '../../postgres/migrate/committed.ts';
import { command, run } from '../cli/command.ts';
import { reportProblems } from '../cli/output.ts';
import { chainProblems } from '../migrations/chain.ts';
import { currentEncodingProblems } from '../migrations/demandSound.ts';
import { forgottenFixtures } from '../migrations/fixtures.ts';

export const checkChainCommand = command(
  'check-chain',
  'check the chain of committed migrations, and find fixtures that no migration applies; needs no database',
)
  .option('--json', 'print JSON')
  .action(({ json = false }: { json?: boolean }) => run(() => checkChain(json)));

/** Checks the migrations without a database, as part of `npm run check`. */
async function checkChain(json: boolean): Promise<ExitCode> {
  const { migrations, unreadable } = await readCommitted();
  const problems = [
    ...unreadable,
    ...(await currentEncodingProblems()),
    ...chainProblems(migrations),
    ...(await forgottenFixtures(migrations)),
  ];
  if (json) console.log(JSON.stringify({ committed: migrations.length, problems }));
  else {
    reportProblems(problems);
    if (problems.length === 0) console.log(`${migrations.length} committed migrations, each follows the one before it`);
  }
  return problems.length === 0 ? 0 : 1;
}
