import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import type { Scope } from './catalog.ts';
import { hedgerowScope } from './hedgerow/scope.ts';

const schema = z.object({
  databaseUrl: z.string().optional(),
  clone: z.boolean().default(false),
  schema: z.string(),
  role: z.string(),
  setting: z.string(),
  settingTemplate: z.string().optional(),
  set: z.record(z.string(), z.string()).optional(),
  fixed: z.array(z.string().min(1)).optional(),
  loginRole: z.string().optional(),
  ownerRole: z.string().optional(),
  tenantIds: z.array(z.string().min(1)).max(3).optional(),
  fixtures: z.string().optional(),
  seed: z.number(),
  table: z.array(z.string()).optional(),
  operations: z.number(),
  only: z.enum(['sql', 'api', 'interleaving']).optional(),
  server: z.string().optional(),
  asA: z.string().optional(),
  asB: z.string().optional(),
  graphqlSchema: z.string().optional(),
  json: z.string().optional(),
  html: z.string().optional(),
  mutants: z.boolean().default(false),
});

export type ProverOptions = z.infer<typeof schema>;

/** The schema and role to attack, and the identity of a transaction. Hedgerow's own has further settings. */
export function scopeOf({ schema, role, setting, settingTemplate: template, set, fixed }: ProverOptions): Scope {
  const own = hedgerowScope;
  const isOwn = template === undefined && schema === own.schema && role === own.role && setting === own.setting;
  return isOwn ? { ...own, fixed, set: { ...own.set, ...set } } : { schema, role, setting, template, set, fixed };
}

/**
 * Parses the command line.
 *
 * @throws CommanderError for invalid options, and for --help.
 */
export function readOptions(argv: readonly string[]): ProverOptions {
  const program = new Command('npm run isolation --')
    .description('Attacks every table, view and function to prove that no tenant reaches the rows of another.')
    .exitOverride()
    .addOption(new Option('--only <part>', 'run only one part of the attacks').choices(['sql', 'api', 'interleaving']))
    .option(
      '--table <name>',
      'attack only this table, view or function (repeatable)',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option('--seed <number>', 'the same seed generates the same rows and choices', whole, 1)
    .option('--operations <number>', 'number of interleaved requests of many tenants, under faults', whole, 3000)
    .option('--mutants', 'also weaken the schema in every way, and check that the attacks detect each change')
    .option('--json <file>', 'write the report as JSON')
    .option('--html <file>', 'write the report as an HTML page')
    .option(
      '--fixtures <folder>',
      'INSERT statements for tables whose rows cannot be generated from the catalog (isolation/fixtures)',
    )
    .option(
      '--database-url <url>',
      'attack this database instead of the migrations; connect as a superuser or with BYPASSRLS',
    )
    .option(
      '--server <url>',
      'attack a running Hedgerow over HTTP, with new accounts that are deleted afterwards',
      address,
    )
    .option(
      '--as-a <email>',
      'with --server: use this account as A; password in ISOLATION_PASSWORD_A. Its rows are at risk',
    )
    .option(
      '--as-b <email>',
      'with --server: use this account as B; password in ISOLATION_PASSWORD_B. Its rows are at risk',
    )
    .option('--graphql-schema <file>', 'with --server: the API’s schema, if the server disables introspection')
    .option('--clone', 'with --database-url: work on a copy of the database')
    .option('--schema <name>', 'the schema to attack', 'app_public')
    .option('--role <name>', 'the role of tenants’ transactions', 'hedgerow_tenant')
    .option('--setting <name>', 'the setting that holds the tenant’s id', 'app.current_user_id')
    .option(
      '--setting-template <text>',
      'the value of the setting, in which :id stands for the tenant\'s id: \'{"sub": ":id", "role": "authenticated"}\'',
      template,
    )
    .option(
      '--set <name=value>',
      "another setting that policies and functions read (repeatable); :id in the value stands for the tenant's id",
      pair,
    )
    .option(
      '--fixed <name>',
      'a session value that policies read and that is the same in all tenant sessions, such as session_user (repeatable)',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option(
      '--tenant-ids <ids>',
      'with --database-url: use existing tenants, in the order A, B and one without rows',
      (ids: string) => ids.split(','),
    )
    .option(
      '--login-role <name>',
      'the role that the server logs in as (hedgerow_authenticator, or none with --database-url)',
    )
    .option(
      '--owner-role <name>',
      'the owner of the tables, if FORCE is meant to apply to it (defaults like --login-role)',
    )
    .addHelpText(
      'after',
      '\nExit code: 0 proven, 1 an attack leaked or a mutant survived, 2 not proven or could not run.',
    );
  program.parse(argv, { from: 'user' });
  return schema.parse(program.opts());
}

function address(text: string): string {
  if (!/^https?:/.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError('Give an http:// or https:// address.');
  return text;
}

function template(text: string): string {
  if (!text.includes(':id'))
    throw new InvalidArgumentError("The tenant's id has no place in it. Write :id where the id belongs.");
  return text;
}

function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Give it as name=value.');
  return { ...before, [name.trim()]: value };
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('Give a whole number below a billion.');
  return Number(text);
}
