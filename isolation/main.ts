import '../common/compileCache.ts';
import { writeFile } from 'node:fs/promises';
import { CommanderError } from 'commander';
import { loadEnvironmentFile } from '../common/environmentFile.ts';
import { UsageError } from '../common/usageError.ts';
import { ProgressLine } from './progressLine.ts';
import { exitCodeOf } from './proof.ts';
import { prove } from './prove.ts';
import { readOptions } from './proverOptions.ts';
import { htmlReport } from './report/html.ts';
import { jsonReport } from './report/json.ts';
import { terminalReport } from './report/terminal.ts';

loadEnvironmentFile();

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const progress = new ProgressLine();
  try {
    const proof = await prove(options, (line) => progress.say(line));
    progress.end();
    console.log(terminalReport(proof));
    if (options.json) await writeFile(options.json, `${JSON.stringify(jsonReport(proof), null, 2)}\n`);
    if (options.html) await writeFile(options.html, await htmlReport(proof));
    process.exitCode = exitCodeOf(proof);
  } finally {
    progress.end();
  }
}

await main().catch((error) => {
  process.exitCode = 2;
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode && 2;
    return;
  }
  // Database errors are about the input, so the message is enough. Any other error is a bug and needs its stack.
  const isExpected = error instanceof UsageError || error.code !== undefined;
  console.error(isExpected ? `Could not run: ${error.message}` : error);
});
