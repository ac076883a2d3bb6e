/** Reports the current step. */
export type Report = (what: string) => void;

/** Milliseconds between two lines if stderr is not a terminal. */
const lineInterval = 5000;

/** Reports progress on stderr: one line that is overwritten on a terminal, otherwise a line every few seconds. */
export function createReport(): Report {
  const start = performance.now();
  let last = Number.NEGATIVE_INFINITY;
  return (what) => {
    const now = performance.now();
    if (!process.stderr.isTTY && now - last < lineInterval) return;
    last = now;
    const time = `${((now - start) / 1000).toFixed(0).padStart(5)} s  `;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${time}${what}` : `${time}${what}\n`);
  };
}

/** Clears the progress line before other output. */
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
