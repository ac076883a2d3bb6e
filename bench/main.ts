import { writeFile } from 'node:fs/promises';
import { CommanderError } from 'commander';
import { toHtml } from './html.ts';
import { readOptions } from './options.ts';
import { createReport, endProgress } from './progress.ts';
import { print } from './report.ts';
import { run } from './run.ts';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const report = createReport();
  const cleanUp: (() => unknown)[] = [];
  const runCleanUp = async () => {
    for (const step of cleanUp.splice(0).reverse()) {
      try {
        await step();
      } catch (error) {
        console.error(error);
      }
    }
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void runCleanUp().finally(() => process.exit(2)));
  }
  try {
    const results = await run(options, report, cleanUp);
    endProgress();
    print(results);
    if (options.json) await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
    if (options.html) await writeFile(options.html, toHtml(results));
  } finally {
    endProgress();
    await runCleanUp();
  }
}

await main().catch((error) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    return;
  }
  console.error(`The benchmark could not run: ${(error as Error).message}`);
  process.exitCode = 2;
});
