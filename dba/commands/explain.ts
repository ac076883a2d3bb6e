import { readFile, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { styleText } from 'node:util';
import { InvalidArgumentError } from 'commander';
import { type ExitCode, UsageError } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { command, onTarget } from '../cli/command.ts';
import type { ExplainedDocument } from '../plans/document.ts';
import { planPage } from '../plans/page.ts';
import { explainStatement } from '../plans/plan.ts';
import { asTenant, demandServer } from '../tenantClient.ts';

interface Options {
  readonly as: string;
  readonly analyze?: boolean;
  readonly variables: Record<string, unknown>;
  readonly html?: string;
  readonly json?: boolean;
}

export const explainCommand = command(
  'explain',
  'show the query plans of a statement or a GraphQL document for one user',
)
  .argument('<text>', 'SQL or GraphQL; @file reads it from a file, - from standard input')
  .requiredOption('--as <user>', 'id or email address of the user')
  .option('--analyze', 'run the statements to measure times; everything is rolled back')
  .option('--variables <json>', 'the variables of the GraphQL document', asObject, {})
  .option('--html <file>', 'also write the plans as an HTML page')
  .option('--json', 'print JSON')
  .action(onTarget<Options, [string]>(explain));

/** Explains a statement or a document as a tenant, under their policies. Rolls back all changes. */
async function explain(target: Target, options: Options, given: string): Promise<ExitCode> {
  const source = await read(given);
  const analyze = options.analyze ?? false;
  const { answer, plans }: Partial<ExplainedDocument> & Pick<ExplainedDocument, 'plans'> = await asTenant(
    target,
    options.as,
    async (client, userId) =>
      isDocument(source)
        ? // Import only here: loading PostGraphile takes longer than most subcommands take to run.
          (await import('../plans/document.ts')).explainDocument({
            serverUrl: demandServer(target),
            client,
            userId,
            document: source,
            variables: options.variables,
            analyze,
          })
        : { plans: [await explainStatement(client, { text: source }, analyze)] },
  );
  const about = { database: target.name, user: options.as, source, analyze };
  if (options.html) await writeFile(options.html, planPage({ ...about, plans }));
  if (options.json) console.log(JSON.stringify({ ...about, plans, answer }));
  else {
    console.log(`${target.name}, as ${options.as}`);
    for (const { statement, text } of plans) console.log(`\n${styleText('bold', statement)}\n\n${text}`);
    for (const { message } of answer?.errors ?? []) console.log(`\n${styleText('red', '✗')} ${message}`);
    if (plans.length === 0) console.log('The document runs no statements.');
    if (options.html) console.log(`\nWrote ${options.html}`);
  }
  return answer?.errors ? 1 : 0;
}

/** Whether the source is a GraphQL document. No SQL statement starts like one. */
function isDocument(source: string): boolean {
  return /^(\s|#[^\n]*\n)*(\{|(query|mutation|subscription|fragment)\b)/.test(source);
}

async function read(given: string): Promise<string> {
  const source =
    given === '-' ? await text(process.stdin) : given.startsWith('@') ? await readFile(given.slice(1), 'utf8') : given;
  const trimmed = source.trim().replace(/;$/, '');
  if (!trimmed) throw new UsageError('The text is empty. Give a SQL statement or a GraphQL document.');
  return trimmed;
}

function asObject(given: string): Record<string, unknown> {
  try {
    const value = JSON.parse(given);
    if (typeof value === 'object' && value && !Array.isArray(value)) return value;
  } catch {}
  throw new InvalidArgumentError('It must be a JSON object.');
}
