/** Tells the person who waits what is going on. */
export type Report = (what: string) => void;

/** Milliseconds between two lines where nobody watches. */
const lineInterval = 5000;

/** Progress on stderr: on a terminal in one line that is overwritten, else a line now and then. */
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

/** Ends the line that is overwritten, before something else is written to the terminal. */
export function endProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
