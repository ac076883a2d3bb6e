import { chainProblems } from './chain.ts';
import { command, run } from './command.ts';
import { readCommitted } from './committed.ts';
import { forgottenFixtures } from './fixtures.ts';
import { currentEncodingProblems } from './migrations/demandSound.ts';
import { reportProblems } from './reportProblems.ts';
import type { ExitCode } from './verb.ts';

export const checkChainCommand = command(
  'check-chain',
  'look for broken links between the committed migrations, and for forgotten fixtures; needs no database',
)
  .option('--json', 'for machines')
  .action(({ json = false }: { json?: boolean }) => run(() => checkChain(json)));

/** What can be told of the migrations without a database: part of `npm run check`. */
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
    if (problems.length === 0) console.log(`${migrations.length} committed migrations, each behind the one before it`);
  }
  return problems.length === 0 ? 0 : 1;
}
