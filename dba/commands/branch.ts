import { spawn } from 'node:child_process';
import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import type { Branch, Branches, BranchUrls } from '../branches/branch.ts';
import { openBranches } from '../branches/branches.ts';
import { exitCodeOf } from '../cli/child.ts';
import { command, onTarget } from '../cli/command.ts';
import { type Confirmation, confirm, withConfirmation } from '../cli/confirmation.ts';
import { shellWord } from '../cli/output.ts';
import { duration, size } from '../cli/progress.ts';

interface Json {
  readonly json?: boolean;
}
interface Disconnect extends Confirmation {
  readonly disconnect?: boolean;
}

const exclusive = (name: string, description: string) =>
  withConfirmation(command(name, description)).option(
    '--disconnect',
    'terminate connections that block the operation; their work is lost',
  );

export const branchCommand = command('branch', 'manage disposable copies of the database')
  .addCommand(
    exclusive('create', 'create a branch: a copy of the database with its data')
      .argument('<name>')
      .option('--json', 'print JSON')
      .action(onTarget<Disconnect & Json, [string]>(create)),
  )
  .addCommand(command('list', 'list the branches').option('--json', 'print JSON').action(onTarget<Json>(list)))
  .addCommand(
    command('url', "print a branch's connection strings, with passwords")
      .argument('<name>')
      .option('--json', 'print JSON')
      .action(onTarget<Json, [string]>(url)),
  )
  .addCommand(
    exclusive('reset', 'replace a branch with a new copy of the database')
      .argument('<name>')
      .action(onTarget<Disconnect, [string]>(reset)),
  )
  .addCommand(exclusive('delete', 'delete a branch').argument('<name>').action(onTarget<Disconnect, [string]>(remove)))
  .addCommand(
    exclusive('promote', 'replace the database with a branch; the replaced database is kept as a branch')
      .argument('<name>')
      .action(onTarget<Disconnect, [string]>(promote)),
  )
  .addCommand(
    command('exec', "run a command with a branch's connection strings in its environment")
      .alias('shell')
      .argument('<name>')
      .argument('[command...]', 'the command, after --; by default your shell')
      .action(onTarget<object, [string, string[]]>(exec)),
  );

async function create(target: Target, options: Disconnect & Json, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  if (!(await mayDisconnect(branches, options))) return 1;
  const start = performance.now();
  if (!options.json) console.log(`Branching ${branches.parent}`);
  const branch = await branches.create(name, options);
  const milliseconds = performance.now() - start;
  if (options.json) console.log(JSON.stringify({ ...branch, milliseconds: Math.round(milliseconds) }));
  else {
    const bytes = branch.bytes === undefined ? '' : `${size(branch.bytes)} `;
    console.log(`${styleText('green', '✓')} branch ${name}: ${bytes}in ${duration(milliseconds)}`);
    console.log(`Next: npm run db -- branch exec ${name} -- npm run db -- status`);
  }
  return 0;
}

async function list(target: Target, { json }: Json): Promise<ExitCode> {
  const branches = openBranches(target);
  const found = await branches.list();
  if (json) console.log(JSON.stringify({ database: branches.parent, branches: found }));
  else {
    console.log(`${branches.parent}: ${found.length} ${found.length === 1 ? 'branch' : 'branches'}`);
    for (const branch of found) console.log(describe(branch));
  }
  return 0;
}

function describe({ name, createdAt, by, bytes }: Branch): string {
  const about = [bytes === undefined ? '' : size(bytes), `created ${createdAt}`, by ? `by ${by}` : ''];
  return `  ${name.padEnd(24)} ${about.filter(Boolean).join(', ')}`;
}

async function url(target: Target, { json }: Json, name: string): Promise<ExitCode> {
  const urls = await openBranches(target).urls(name);
  if (json) console.log(JSON.stringify(urls));
  else {
    for (const [variable, value] of Object.entries(environment(urls, target))) {
      console.log(`${variable}=${shellWord(value)}`);
    }
  }
  return 0;
}

async function reset(target: Target, options: Disconnect, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  if (!(await confirm(`This erases branch ${name} of ${branches.parent} and copies it again.`, options))) return 1;
  await branches.reset(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is now a new copy of ${branches.parent}`);
  return 0;
}

async function remove(target: Target, options: Disconnect, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  if (!(await confirm(`This erases branch ${name} of ${branches.parent}.`, options))) return 1;
  await branches.drop(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is deleted`);
  return 0;
}

async function promote(target: Target, options: Disconnect, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  const what = `This replaces ${branches.parent} with branch ${name}, which lacks all changes since the branch was created.`;
  if (!(await confirm(what, options))) return 1;
  const kept = await branches.promote(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is now ${branches.parent}`);
  console.log(`The replaced database is branch ${kept}. To undo this: npm run db -- branch promote ${kept}`);
  return 0;
}

async function exec(target: Target, _options: object, name: string, words: string[]): Promise<number> {
  const branches = openBranches(target);
  const urls = await branches.urls(name);
  console.error(`On branch ${name} of ${branches.parent}`);
  if (!urls.authenticator) console.error('DATABASE_URL is not set, so the command gets none for the branch either.');
  const [file = process.env.SHELL ?? 'sh', ...args] = words;
  return exitCodeOf(spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environment(urls, target) } }));
}

/**
 * Returns the environment variables that lead the server and `npm run db` to a branch. Unknown connections are empty
 * strings: these count as not set, and `.env` does not override them.
 */
function environment(
  { owner, authenticator = '', listen = '', admin = '' }: BranchUrls,
  { shadowUrl = '' }: Target,
): Record<string, string> {
  return {
    DATABASE_URL: authenticator,
    DATABASE_URL_DIRECT: owner,
    DATABASE_URL_LISTEN: listen,
    // A replica may not have the new branch yet.
    DATABASE_URL_RO: '',
    ROOT_DATABASE_URL: admin,
    SHADOW_DATABASE_URL: shadowUrl,
  };
}

async function mayDisconnect(branches: Branches, options: Disconnect): Promise<boolean> {
  return !options.disconnect || confirm(`This terminates all other connections to ${branches.parent}.`, options);
}
