import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { todosPerTenant } from './ids.ts';
import { type AttackName, attackNames } from './noisy/attacks.ts';
import { peers } from './peers.ts';
import { pgbenchNames } from './pgbench.ts';
import { type WorkloadName, workloadNames } from './workloads.ts';

export interface Options {
  readonly peers: readonly string[];
  readonly workloads: readonly WorkloadName[];
  /** Whether to measure the noisy workload: one tenant's list during the flood of another. */
  readonly noisy: boolean;
  readonly attacks: readonly AttackName[];
  /** Directory of another checkout of Hedgerow to measure on the same database. */
  readonly baseline?: string;
  /** Duration of one turn. */
  readonly seconds: number;
  readonly rounds: number;
  readonly connections: number;
  readonly rows: number;
  readonly json?: string;
  readonly html?: string;
  readonly check: boolean;
  readonly revocation: boolean;
  readonly startup: boolean;
}

const peerNames: readonly string[] = [...peers.map(({ name }) => name), ...pgbenchNames];

/** Creates a parser for a whole number from `min` to `max`. */
export const wholeNumber = (min: number, max: number) => (text: string) => {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
};

const namesFrom =
  <Name extends string>(all: readonly Name[]) =>
  (text: string) => {
    const names = text.split(',').map((name) => name.trim());
    const unknown = names.filter((name) => !(all as readonly string[]).includes(name));
    if (unknown.length > 0)
      throw new InvalidArgumentError(`unknown: ${unknown.join(', ')}; choose from ${all.join(', ')}`);
    return all.filter((name) => names.includes(name));
  };

/** Reads the command line. @throws CommanderError for invalid arguments, and after --help. */
export function readOptions(argv: readonly string[]): Options {
  const rows = (text: string) => {
    const value = wholeNumber(todosPerTenant, 100_000_000)(text);
    if (value % todosPerTenant === 0) return value;
    throw new InvalidArgumentError(`expected a multiple of ${todosPerTenant}, the todos of each tenant`);
  };
  const list = <Name extends string>(flag: string, all: readonly Name[]) =>
    new Option(`${flag} <names>`, `comma-separated: ${all.join(', ')}`).argParser(namesFrom(all)).default(all, 'all');
  const names = [...workloadNames, 'noisy'] as const;
  const { workloads, ...options } = new Command('npm run bench --')
    .description('Compares Hedgerow with other servers, in one run on this machine.')
    .addOption(list('--peers', peerNames))
    .addOption(
      new Option(
        '--workloads <names>',
        `comma-separated: ${names.join(', ')} (default: all but noisy; with --check all)`,
      ).argParser(namesFrom(names)),
    )
    .addOption(list('--attacks', attackNames))
    .option('--baseline <directory>', 'also measure Hedgerow of another checkout, on the same database', (path) =>
      resolve(path),
    )
    .option('--seconds <n>', 'duration of each turn', wholeNumber(1, 600), 3)
    .option('--rounds <n>', 'turns of each candidate for a workload', wholeNumber(1, 100), 5)
    .option('--connections <n>', 'connections of the load generator', wholeNumber(1, 1000), 16)
    .option('--rows <n>', 'todos in the database; with more than 100,000 Hedgerow also runs on 100,000', rows, 100_000)
    .option('--json <file>', 'write all measurements as JSON')
    .option('--html <file>', 'write an HTML page with the tables and charts')
    .option('--check', 'compare with the thresholds; also measures revocation and start-up', false)
    .option('--revocation', 'measure the cost of the session check; without --check nothing else', false)
    .option('--startup', 'measure the time to the first answer; without --check nothing else', false)
    .addHelpText('after', '\nExit code: 0 measured, 2 could not run. See docs/bench.md for how to read the results.')
    .exitOverride()
    .parse(argv, { from: 'user' })
    .opts<Omit<Options, 'workloads' | 'noisy'> & { workloads?: (typeof names)[number][] }>();
  const wanted: readonly (typeof names)[number][] = workloads ?? (options.check ? names : workloadNames);
  return {
    ...options,
    workloads: workloadNames.filter((name) => wanted.includes(name)),
    noisy: wanted.includes('noisy'),
  };
}
