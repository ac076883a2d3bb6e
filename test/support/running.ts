import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A running child process. */
export interface Running {
  /** The exit code; null if a signal ended the process. */
  readonly exitCode: Promise<number | null>;
  /** The output on stdout and stderr so far. */
  output(): string;
  /**
   * Waits for a matching line of either stream. Each call continues after the line of the previous one.
   *
   * @throws with the whole output if the process ends or no line comes within 45 s.
   */
  line(pattern: RegExp): Promise<string>;
  /** Sends `signal` if the process still runs. Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Milliseconds to wait for a line; less than the timeout of the tests that wait for one. */
const lineTimeout = 45_000;

export function run(args: readonly string[], { cwd, env }: { cwd: string; env: NodeJS.ProcessEnv }): Running {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: string[] = [];
  let next = 0;
  let ended = false;
  let wake = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (text) => {
      lines.push(text);
      wake();
    });
  }
  const exitCode = once(child, 'close').then(([code]) => {
    ended = true;
    wake();
    return code as number | null;
  });
  return {
    exitCode,
    output: () => lines.map((text) => `${text}\n`).join(''),
    async line(pattern) {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        wake();
      }, lineTimeout);
      try {
        for (;;) {
          const found = lines.findIndex((text, at) => at >= next && pattern.test(text));
          if (found >= 0) {
            next = found + 1;
            return lines[found] as string;
          }
          if (ended || late)
            throw new Error([`No line matches ${pattern} in the output of ${args.join(' ')}:`, ...lines].join('\n'));
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        clearTimeout(timer);
      }
    },
    stop: (signal = 'SIGTERM') => {
      child.kill(signal);
      return exitCode;
    },
  };
}
