import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { buildSchema } from 'postgraphile/graphql';
import { bundle } from './bundle.ts';
import { readSources } from './sources.ts';

const program = new Command('npm run documents --')
  .description('Writes the operations of a client as trusted documents: <sha256>.graphql and manifest.json.')
  .argument('<paths...>', 'files or folders: .graphql files, and gql`…` and graphql(`…`) in .ts, .tsx, .js and .jsx')
  .requiredOption('--out <folder>', 'output folder; existing documents stay')
  .option('--schema <file>', "the server's schema", join(import.meta.dirname, '..', 'schema.graphql'))
  .addHelpText('after', '\nExit code: 0 written, 1 a document is invalid and nothing was written, 2 could not run.');

async function run(paths: readonly string[], { out, schema }: { out: string; schema: string }): Promise<void> {
  const { documents, problems } = bundle(await readSources(paths), buildSchema(await readFile(schema, 'utf8')));
  if (problems.length > 0) {
    console.error(problems.join('\n'));
    process.exitCode = 1;
    return;
  }
  await mkdir(out, { recursive: true });
  for (const { id, text } of documents) await writeFile(join(out, `${id}.graphql`), text);
  const manifest = Object.fromEntries(documents.map(({ name, id }) => [name, id]));
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  console.log(`Wrote ${documents.length} documents to ${out}`);
}

try {
  program.parse();
  await run(program.args, program.opts());
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
