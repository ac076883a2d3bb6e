import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A process that goes on until it is stopped. */
export interface Running {
  /** Null where a signal ended it. */
  readonly exitCode: Promise<number | null>;
  /** All that it has written so far, to stdout and stderr. */
  output(): string;
  /** Waits for a line, of either stream, that comes behind those waited for before. @throws with all that was said. */
  line(pattern: RegExp): Promise<string>;
  /** Ends it by `signal`; nothing where it has ended. Resolves once it has. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Milliseconds after which a line will not come: less than the tests that wait for one are given. */
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
          if (ended || late) throw new Error([`No ${pattern} from ${args.join(' ')}:`, ...lines].join('\n'));
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
