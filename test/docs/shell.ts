import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Block } from './page.ts';

/** The result of a block: the exit code of its last command, its output, and the answer to each `curl`. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly answers: readonly Answer[];
}

export interface Answer {
  /** 0 where there was no answer. */
  readonly status: number;
  readonly body: string;
}

/** curl that also keeps each answer; and npm that only looks whether the package is there, which it would fetch. */
const prelude = `
curl() {
  local folder="$CALLS/$(ls "$CALLS" | wc -l)" file= previous= argument
  mkdir "$folder"
  for argument in "$@"; do
    if [ "$previous" = -o ]; then file=$argument; fi
    previous=$argument
  done
  command curl --max-time 20 -w '%{stderr}%{http_code}' "$@" 2>"$folder/status" | tee "$folder/body"
  if [ "$file" ]; then cp "$file" "$folder/body"; fi
}
npm() {
  local argument
  for argument in "\${@:2}"; do
    [[ $argument == -* || -f node_modules/$argument/package.json ]] || return 1
  done
}
`;

/** Runs the blocks in `directory`, one after the other in one bash. */
export async function runBlocks(blocks: readonly Block[], directory: string): Promise<Run[]> {
  const results = join(directory, '.run');
  const parts = await Promise.all(
    blocks.map(async ({ text }, index) => {
      const calls = join(results, `${index}`, 'calls');
      await mkdir(calls, { recursive: true });
      await writeFile(join(results, `${index}`, 'block.sh'), text);
      return `CALLS='${calls}'; cd '${directory}'
source '${calls}/../block.sh' >'${calls}/../stdout' 2>'${calls}/../stderr' </dev/null
echo $? >'${calls}/../code'`;
    }),
  );
  const bash = spawn('bash', ['--norc'], { cwd: directory, timeout: 120_000 });
  bash.stdin.end([prelude, ...parts].join('\n'));
  bash.stdout.resume();
  bash.stderr.resume();
  await once(bash, 'close');
  return Promise.all(blocks.map((_, index) => readRun(join(results, `${index}`))));
}

async function readRun(folder: string): Promise<Run> {
  const read = (...path: string[]) => readFile(join(folder, ...path), 'utf8').catch(() => '');
  const calls = (await readdir(join(folder, 'calls'))).sort((a, b) => Number(a) - Number(b));
  return {
    code: Number.parseInt((await read('code')) || '-1', 10),
    stdout: await read('stdout'),
    stderr: await read('stderr'),
    answers: await Promise.all(
      calls.map(async (call) => ({
        status: Number(await read('calls', call, 'status')),
        body: await read('calls', call, 'body'),
      })),
    ),
  };
}
