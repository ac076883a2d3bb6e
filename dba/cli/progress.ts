import { setTimeout as sleep } from 'node:timers/promises';

/** Milliseconds between updates. A terminal overwrites the line; in a log each update adds one. */
const pause = { terminal: 500, log: 10_000 };

/**
 * Runs `work` and prints its elapsed time and state to stderr at intervals.
 *
 * @param what the description of the work: "Copying database hedgerow".
 * @param state called before each update, for example to read how many bytes are copied. Its errors are ignored.
 */
export async function withProgress<Result>(
  what: string,
  work: () => Promise<Result>,
  state: () => Promise<string> = async () => '',
): Promise<Result> {
  const terminal = process.stderr.isTTY;
  const start = performance.now();
  const done = new AbortController();
  const tell = async () => {
    for (;;) {
      await sleep(pause[terminal ? 'terminal' : 'log'], undefined, { signal: done.signal, ref: false });
      const words = await state().catch(() => '');
      if (done.signal.aborted) return;
      const line = [what, duration(performance.now() - start), words].filter(Boolean).join(', ');
      process.stderr.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
    }
  };
  const telling = tell().catch((error) => {
    if (error.name !== 'AbortError') throw error;
  });
  try {
    return await work();
  } finally {
    done.abort();
    await telling;
    if (terminal) process.stderr.write('\r\x1b[K');
  }
}

/** Formats a duration: `0.4 s`, `12 s`, `3 min 5 s`. */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return seconds < 60 ? `${Math.round(seconds)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** Formats a size in decimal units: `7.3 MB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(bytes || 1) / 3)));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/**
 * Runs `work` and prints the lines that it reports. Prints the elapsed time and the last line to stderr at intervals.
 *
 * @param what the description of the work: "Migrating database hedgerow".
 */
export function withReport<Result>(
  what: string,
  work: (report: (line: string) => void) => Promise<Result>,
): Promise<Result> {
  console.log(what);
  let last = '';
  const report = (line: string) => {
    last = line;
    // Clear the progress line.
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    console.log(line);
  };
  return withProgress(
    what,
    () => work(report),
    async () => last,
  );
}
