/**
 * Shows progress on stderr. A terminal has one line that each message overwrites; other outputs get a new line, at most
 * one every two seconds.
 */
export class ProgressLine {
  readonly #stream = process.stderr;
  readonly #started = performance.now();
  #latest = Number.NEGATIVE_INFINITY;

  say(line: string): void {
    const now = performance.now();
    const text = `${((now - this.#started) / 1000).toFixed(0).padStart(4)} s  ${line}`;
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\x1b[K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
    } else if (now - this.#latest > 2000) {
      this.#latest = now;
      this.#stream.write(`${text}\n`);
    }
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}
