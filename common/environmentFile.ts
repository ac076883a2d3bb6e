import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/**
 * Adds the variables of `.env` in the working directory to `process.env`, if there is such a file. Variables that are set
 * already keep their value. A byte order mark, which Windows editors write and Node would read as a part of the first
 * name, is skipped; it also tells UTF-16, which PowerShell's `>` writes.
 */
export function loadEnvironmentFile(): void {
  let bytes: Buffer;
  try {
    bytes = readFileSync('.env');
  } catch {
    return;
  }
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8';
  for (const [name, value] of Object.entries(parseEnv(new TextDecoder(encoding).decode(bytes)))) {
    process.env[name] ??= value;
  }
}
