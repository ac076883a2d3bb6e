import { spawn } from 'node:child_process';
import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import type { Branch, Branches, BranchUrls } from '../branches/branch.ts';
import { openBranches } from '../branches/branches.ts';
import { ended } from '../cli/child.ts';
import { command, onTarget } from '../cli/command.ts';
import { allowed, dangerous, type Permission } from '../cli/danger.ts';
import { duration, size } from '../cli/progress.ts';
import { shellWord } from '../cli/shellWord.ts';

interface Json {
  readonly json?: boolean;
}
interface Disconnect extends Permission {
  readonly disconnect?: boolean;
}

const exclusive = (name: string, description: string) =>
  dangerous(command(name, description)).option(
    '--disconnect',
    'end the connections that are in the way, whose work is lost',
  );

export const branchCommand = command('branch', 'copies of the database, to be changed and thrown away')
  .addCommand(
    exclusive('create', 'make a branch: a copy of the database, with its data')
      .argument('<name>')
      .option('--json', 'for machines')
      .action(onTarget<Disconnect & Json, [string]>(create)),
  )
  .addCommand(command('list', 'the branches there are').option('--json', 'for machines').action(onTarget<Json>(list)))
  .addCommand(
    command('url', "print a branch's connection strings, with passwords")
      .argument('<name>')
      .option('--json', 'for machines')
      .action(onTarget<Json, [string]>(url)),
  )
  .addCommand(
    exclusive('reset', 'make a branch again from the database as it is now')
      .argument('<name>')
      .action(onTarget<Disconnect, [string]>(reset)),
  )
  .addCommand(exclusive('delete', 'delete a branch').argument('<name>').action(onTarget<Disconnect, [string]>(remove)))
  .addCommand(
    exclusive('promote', 'make a branch the database; the one there is now is kept as a branch')
      .argument('<name>')
      .action(onTarget<Disconnect, [string]>(promote)),
  )
  .addCommand(
    command('exec', 'run a command on a branch: its connections are in the environment')
      .alias('shell')
      .argument('<name>')
      .argument('[command...]', 'after --; by default your shell')
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
  const about = [bytes === undefined ? '' : size(bytes), `made ${createdAt}`, by ? `by ${by}` : ''];
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
  if (!(await allowed(`This erases branch ${name} of ${branches.parent} and copies it again.`, options))) return 1;
  await branches.reset(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is a copy of ${branches.parent} as it is now`);
  return 0;
}

async function remove(target: Target, options: Disconnect, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  if (!(await allowed(`This erases branch ${name} of ${branches.parent}.`, options))) return 1;
  await branches.drop(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is gone`);
  return 0;
}

async function promote(target: Target, options: Disconnect, name: string): Promise<ExitCode> {
  const branches = openBranches(target);
  const what = `This puts branch ${name} in the place of ${branches.parent}: what was written there since the branch was made is not in it.`;
  if (!(await allowed(what, options))) return 1;
  const kept = await branches.promote(name, options);
  console.log(`${styleText('green', '✓')} branch ${name} is now ${branches.parent}`);
  console.log(`What was there before is branch ${kept}. Take it back: npm run db -- branch promote ${kept}`);
  return 0;
}

async function exec(target: Target, _options: object, name: string, words: string[]): Promise<number> {
  const branches = openBranches(target);
  const urls = await branches.urls(name);
  console.error(`On branch ${name} of ${branches.parent}`);
  if (!urls.authenticator) console.error('Without DATABASE_URL, which is not set: the one of the branch is not known.');
  const [file = process.env.SHELL ?? 'sh', ...args] = words;
  return ended(spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environment(urls, target) } }));
}

/**
 * The variables by which the server and the DBA's commands find a branch. What is not known is empty, which counts as
 * absent and is not filled in from `.env`.
 */
function environment(
  { owner, authenticator = '', listen = '', admin = '' }: BranchUrls,
  { shadowUrl = '' }: Target,
): Record<string, string> {
  return {
    DATABASE_URL: authenticator,
    DATABASE_URL_DIRECT: owner,
    DATABASE_URL_LISTEN: listen,
    // A replica may be behind what was made just now.
    DATABASE_URL_RO: '',
    ROOT_DATABASE_URL: admin,
    SHADOW_DATABASE_URL: shadowUrl,
  };
}

async function mayDisconnect(branches: Branches, options: Disconnect): Promise<boolean> {
  return !options.disconnect || allowed(`This disconnects anyone who uses ${branches.parent}.`, options);
}
