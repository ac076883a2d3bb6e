import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { root } from '../common/root.ts';
import { UsageError } from '../common/usageError.ts';
import { isOfNewTable, isRecreated } from './recreated.ts';
import type { Finding } from './rule.ts';
import type { Source } from './sources.ts';
import { type Statement, splitStatements } from './statements.ts';

const require = createRequire(import.meta.url);

const excluded = [
  // The rule lock-timeout-missing checks this and takes the setting in `.gmrc` into account.
  'require-lock-timeout',
  // lock_timeout limits waiting. Work such as an index build or a backfill may take long.
  'require-statement-timeout',
  // It requires `if not exists` everywhere. A migration runs in one transaction, and `lint` tests whether it can run
  // twice.
  'prefer-robust-stmts',
  // Keys are UUIDs. Numbers are counts with check constraints.
  'prefer-bigint-over-int',
  'prefer-bigint-over-smallint',
];

const drops = /^(ban-drop-table|ban-drop-column|require-concurrent-index-deletion)$/;

const answers = z.array(
  z.object({
    file: z.string(),
    line: z.number(),
    message: z.string(),
    help: z.string().nullable(),
    rule_name: z.string(),
  }),
);

/**
 * Runs squawk (https://squawkhq.com) on the files of `sources`. It finds locks that block other sessions and changes
 * that break clients.
 *
 * @param all every SQL file, in order. Only objects that an earlier file created exist before a migration drops them.
 * @throws UsageError if squawk-cli is not installed or fails.
 */
export async function squawk(sources: readonly Source[], all: readonly Source[]): Promise<Finding[]> {
  const parsed = new Map(all.map(({ file, sql }) => [file, splitStatements(file, sql)]));
  const outside = ({ file }: Source) => parsed.get(file)?.some(({ inTransaction }) => !inTransaction) ?? false;
  const given = await Promise.all([
    run(
      '--assume-in-transaction',
      sources.filter((source) => !outside(source)),
    ),
    run('--no-assume-in-transaction', sources.filter(outside)),
  ]);
  return given.flat().flatMap(({ file, line, message, help, rule_name }): Finding[] => {
    const statements = parsed.get(file) ?? [];
    const at = statements.findLastIndex((statement) => statement.line <= line + 1);
    const statement = statements[at];
    // Postgres has already parsed the file, so a syntax error is a limit of squawk.
    if (!statement || rule_name === 'syntax-error') return [];
    const earlier = before(all, file, parsed);
    if (drops.test(rule_name) && isRecreated(statement, statements.slice(at), earlier)) return [];
    if (isOfNewTable(statement, statements.slice(0, at), earlier)) return [];
    return [
      {
        rule: `squawk/${rule_name}`,
        level: 'warning',
        object: statement.object,
        detail: [message, help].filter(Boolean).join(' '),
        file,
        line: line + 1,
        page: `https://squawkhq.com/docs/${rule_name}`,
      },
    ];
  });
}

/** The statements of the files before `file`. */
function before(all: readonly Source[], file: string, parsed: ReadonlyMap<string, Statement[]>): Statement[] {
  return all
    .slice(
      0,
      all.findIndex((source) => source.file === file),
    )
    .flatMap((source) => parsed.get(source.file) ?? []);
}

async function run(assumption: string, sources: readonly Source[]): Promise<z.infer<typeof answers>> {
  if (sources.length === 0) return [];
  const args = [program(), '--reporter', 'json', assumption, `--exclude=${excluded.join(',')}`];
  return new Promise((resolve, reject) => {
    const files = sources.map(({ file }) => file);
    // The exit code is 1 if there are warnings.
    execFile(process.execPath, [...args, ...files], { cwd: root, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      try {
        resolve(answers.parse(JSON.parse(stdout)));
      } catch {
        reject(new UsageError(`squawk failed: ${stderr || error?.message}. Reinstall it with \`npm install\`.`));
      }
    });
  });
}

function program(): string {
  try {
    return join(dirname(require.resolve('squawk-cli/package.json')), 'js', 'bin', 'squawk');
  } catch {
    throw new UsageError('squawk-cli is not installed. Run `npm install`.');
  }
}
