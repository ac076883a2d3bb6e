import { styleText } from 'node:util';
import type { ExitCode } from '../../common/usageError.ts';
import type { Target } from '../../postgres/target/target.ts';
import { runBatch } from '../backfill/batch.ts';
import { type BackfillRequest, type Plan, planBackfill } from '../backfill/plan.ts';
import { count, progressFormatter } from '../backfill/progress.ts';
import { endState, findState, type State } from '../backfill/state.ts';
import { createThrottle, type Throttle, type ThrottleOptions } from '../backfill/throttle.ts';
import { command, onTarget } from '../cli/command.ts';
import { type Confirmation, confirm, withConfirmation } from '../cli/confirmation.ts';
import { withProgress } from '../cli/progress.ts';
import { wholeNumber } from '../cli/wholeNumber.ts';
import { claimTables, demandPolicies, withOwnerPolicies } from '../online/ownerPolicies.ts';
import {
  openRetryingConnection,
  type RetryingConnection,
  type RetryOptions,
  withRetryOptions,
} from '../online/retryingConnection.ts';

interface Options extends Confirmation, RetryOptions, ThrottleOptions, Omit<BackfillRequest, 'table'> {
  readonly batch: number;
  readonly json?: boolean;
}

export const backfillCommand = withRetryOptions(
  withConfirmation(
    command('backfill', 'update the rows of all tenants in a table, in batches; a stopped run can be resumed'),
  ),
)
  .argument('<table>', 'the table with its schema: app_public.todos')
  .requiredOption('--set <sql>', 'the SET clause of the update: "slug = lower(title)"')
  .option('--where <sql>', 'condition that selects the rows to update: "slug is null"')
  .option('--batch <rows>', 'rows per batch; each batch is a transaction', wholeNumber(1), 1000)
  .option('--pause <ms>', 'pause between two batches', wholeNumber(0), 100)
  .option('--max-active <n>', 'wait while more transactions of other sessions are open', wholeNumber(0), 20)
  .option('--max-lag <MB>', 'wait while a replica lags further behind', wholeNumber(0), 16)
  .option('--json', 'print JSON')
  .action(onTarget<Options, [string]>(backfill));

interface Outcome extends Pick<State, 'seen' | 'changed'> {
  readonly finished: boolean;
  /** Rows that still match WHERE; null without WHERE, and if the run was stopped. */
  readonly left: number | null;
}

/** Batches that take longer than this, in milliseconds, make the next one smaller. */
const longBatch = 1000;

async function backfill(target: Target, options: Options, table: string): Promise<ExitCode> {
  const wanted = { table, set: options.set, where: options.where };
  const what = `This changes rows of all tenants in ${table} of ${target.name}.`;
  if (!(await confirm(what, options))) return 1;
  let claimed: Plan | undefined;
  const prepare = async (client: Parameters<typeof claimTables>[0]) => {
    if (claimed) await claimTables(client, [claimed, ...claimed.hidden]);
  };
  const connection = openRetryingConnection(target.ownerUrl, options, prepare, report);
  const monitor = openRetryingConnection(target.adminUrl ?? target.ownerUrl, options, async () => {}, report);
  const stop = new AbortController();
  const stopped = () => stop.abort();
  // A second Ctrl-C ends the process at once.
  process.once('SIGINT', stopped).once('SIGTERM', stopped).once('SIGHUP', stopped);
  try {
    const plan = await connection.transaction(async (client) => {
      claimed = await planBackfill(client, wanted);
      await prepare(client);
      return claimed;
    });
    const outcome = await run(connection, createThrottle(monitor, options, report), plan, options.batch, stop.signal);
    if (options.json) console.log(JSON.stringify({ database: target.name, table: plan.table, ...outcome }));
    else describe(plan, outcome);
    return outcome.finished && !outcome.left ? 0 : 1;
  } finally {
    process.off('SIGINT', stopped).off('SIGTERM', stopped).off('SIGHUP', stopped);
    await Promise.all([connection.close(), monitor.close()]);
  }
}

async function run(
  connection: RetryingConnection,
  throttle: Throttle,
  plan: Plan,
  batch: number,
  signal: AbortSignal,
): Promise<Outcome> {
  return withOwnerPolicies(connection, plan.hidden, async () => {
    const before = await connection.transaction((client) => findState(client, plan));
    if (before.seen > 0) report(`${plan.table}: continuing after ${count(before.seen)} rows`);
    let state: State & { more: boolean } = { ...before, more: true };
    const words = progressFormatter(plan, before);
    const work = async () => {
      for (let size = batch; state.more; ) {
        const begun = performance.now();
        let worked = begun;
        state = await connection.transaction(async (client) => {
          const done = await runBatch(client, plan, size);
          worked = performance.now();
          return done;
        });
        size = worked - begun > longBatch ? Math.max(1, size >> 1) : Math.min(batch, size * 2);
        if (state.more) await throttle(performance.now() - worked, signal);
        if (signal.aborted) return;
      }
    };
    await withProgress(`Backfilling ${plan.table}`, work, async () => words(state));
    const { seen, changed, more } = state;
    if (more) return { seen, changed, finished: false, left: null };
    const left = await connection.transaction(async (client) => {
      await endState(client, plan.id);
      return plan.where === undefined ? null : remaining(client, plan);
    });
    return { seen, changed, finished: true, left };
  });
}

async function remaining(client: Parameters<typeof demandPolicies>[0], { hidden, table, where }: Plan) {
  await demandPolicies(client, hidden);
  const { rows } = await client.query<{ left: number }>(
    `select count(*)::float8 as left from ${table} where (${where}\n)`,
  );
  return rows[0]?.left ?? null;
}

function describe({ table }: Plan, { finished, seen, changed, left }: Outcome): void {
  if (!finished) {
    console.log(`Stopped after ${count(seen)} rows of ${table}. Run the same command to continue.`);
  } else if (left) {
    console.log(
      `${styleText('red', '✗')} ${table}: ${count(changed)} rows changed, ${count(left)} still match WHERE: they were written during the run, or SET does not make WHERE false. Run the command again.`,
    );
  } else {
    const rest = left === null ? 'all that existed at the start' : 'none remain';
    console.log(`${styleText('green', '✓')} ${table}: ${count(changed)} rows changed, ${rest}`);
  }
}

function report(line: string): void {
  // Clear the progress line.
  console.error(process.stderr.isTTY ? `\r\x1b[K${line}` : line);
}
