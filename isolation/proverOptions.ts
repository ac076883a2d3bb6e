import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';

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

/** What the command line says. */
export function readOptions(argv: readonly string[]): ProverOptions {
  const program = new Command('npm run isolation --')
    .description('Shows that no tenant reaches what is another’s: attacks every table, view and function.')
    .exitOverride()
    .addOption(new Option('--only <part>', 'one part of the attacks').choices(['sql', 'api', 'interleaving']))
    .option(
      '--table <name>',
      'only this table, view or function (again for more)',
      (name: string, before: string[] = []) => [...before, name],
    )
    .option('--seed <number>', 'rows and choices are the same for the same seed', whole, 1)
    .option('--operations <number>', 'interleaved requests of many tenants, under faults', whole, 3000)
    .option('--mutants', 'also make the schema weaker in every way, and see that each is noticed')
    .option('--json <file>', 'write the report for machines')
    .option('--html <file>', 'write the report as a page')
    .option('--fixtures <folder>', 'inserts for tables whose rows cannot be made from the catalog (isolation/fixtures)')
    .option('--database-url <url>', 'attack this database, as a superuser or with BYPASSRLS, instead of the migrations')
    .option(
      '--server <url>',
      'attack a running Hedgerow over HTTP, with accounts that are made for it and deleted',
      address,
    )
    .option(
      '--as-a <email>',
      'with --server: this account as A; password in ISOLATION_PASSWORD_A. Its rows are at risk',
    )
    .option(
      '--as-b <email>',
      'with --server: this account as B; password in ISOLATION_PASSWORD_B. Its rows are at risk',
    )
    .option('--graphql-schema <file>', 'with --server: the API’s schema, where the server shows nobody its own')
    .option('--clone', 'with --database-url: work on a copy of it')
    .option('--schema <name>', 'whose objects are attacked', 'app_public')
    .option('--role <name>', 'the role of a tenant’s transaction', 'hedgerow_tenant')
    .option('--setting <name>', 'the setting that holds the tenant', 'app.current_user_id')
    .option(
      '--setting-template <text>',
      'the value of the setting, with :id in the place of the tenant\'s id: \'{"sub": ":id", "role": "authenticated"}\'',
      template,
    )
    .option(
      '--set <name=value>',
      "another setting that policies and functions read (again for more); :id in the value is the tenant's id",
      pair,
    )
    .option(
      '--fixed <name>',
      "a value of the session that policies read and that all sessions of tenants have as the prover's has, such as session_user (again for more)",
      (name: string, before: string[] = []) => [...before, name],
    )
    .option(
      '--tenant-ids <ids>',
      'with --database-url: tenants that are there, A,B and one more, instead of new ones',
      (ids: string) => ids.split(','),
    )
    .option(
      '--login-role <name>',
      'the role that the server logs in as (hedgerow_authenticator, or none with --database-url)',
    )
    .option('--owner-role <name>', 'the owner of the tables where FORCE is meant to bind it (as --login-role)')
    .addHelpText(
      'after',
      '\nExit code: 0 proven, 1 a leak or a mutant that nothing caught, 2 not proven or could not run.',
    );
  program.parse(argv, { from: 'user' });
  return schema.parse(program.opts());
}

function address(text: string): string {
  if (!/^https?:/.test(text) || !URL.canParse(text))
    throw new InvalidArgumentError('An http:// or https:// address is expected.');
  return text;
}

function template(text: string): string {
  if (!text.includes(':id')) throw new InvalidArgumentError("It has no place for the tenant's id: write :id there.");
  return text;
}

function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('name=value is expected.');
  return { ...before, [name.trim()]: value };
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A whole number below a billion is expected.');
  return Number(text);
}
