import { readFileSync } from 'node:fs';
import type { BenchContext } from '../candidate.ts';
import type { BenchDatabase } from '../database.ts';
import type { Peer } from '../peers.ts';
import { type ServerProcess, spawnServer, waitUntilListening } from '../serverProcess.ts';

/** Bytes of resident memory above which a server is killed, so that a flood does not exhaust the machine. */
const memoryLimit = 4e9;
/** Milliseconds between two checks of the memory. */
const checkInterval = 100;

/**
 * A server under attack. States: not started, running, and ended (by itself, or killed because of its memory). `ensure`
 * starts or restarts it.
 */
export class NoisyServer {
  readonly peer: Peer;
  readonly #context: BenchContext;
  readonly #database: BenchDatabase;
  #process: ServerProcess | undefined;
  #watch: NodeJS.Timeout | undefined;
  #peak = 0;

  constructor(peer: Peer, context: BenchContext, database: BenchDatabase) {
    this.peer = peer;
    this.#context = context;
    this.#database = database;
  }

  /** @throws if the server is not running. */
  get port(): number {
    if (!this.#process) throw new Error('The server is not running.');
    return this.#process.port;
  }

  get isRunning(): boolean {
    return this.#process !== undefined && residentBytes(this.#process.pid) > 0;
  }

  /** Starts the server unless it runs. @returns whether it has started it. */
  async ensure(): Promise<boolean> {
    if (this.isRunning) return false;
    await this.stop();
    this.#process = await spawnServer(this.peer.file, {
      DATABASE_URL: this.#database.serverUrl,
      JWT_SECRET: this.#context.jwtSecret,
      ...this.peer.env,
    });
    await waitUntilListening(this.#process);
    this.#watch = setInterval(() => this.#checkMemory(), checkInterval);
    return true;
  }

  /** The most resident memory since the last call, in bytes. */
  takePeak(): number {
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch);
    await this.#process?.stop();
    this.#process = undefined;
    // Postgres continues the statements of a disconnected client, so terminate its backends.
    await this.#database.admin.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and usename = 'hedgerow_authenticator'`,
    );
  }

  #checkMemory(): void {
    if (!this.#process) return;
    const bytes = residentBytes(this.#process.pid);
    this.#peak = Math.max(this.#peak, bytes);
    if (bytes > memoryLimit) process.kill(this.#process.pid, 'SIGKILL');
  }
}

const pageSize = 4096;

/** Reads the resident memory; 0 if the process has ended or the system has no /proc. */
function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * pageSize;
  } catch {
    return 0;
  }
}
