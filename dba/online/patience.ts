import type { Command } from 'commander';
import { wholeNumber } from '../cli/wholeNumber.ts';
import type { Patience } from './patient.ts';

/** Gives a verb the options of `Patience`. */
export function patient(command: Command): Command {
  const defaults: Patience = { lockTimeout: 1000, attempts: 20 };
  return command
    .option('--lock-timeout <ms>', 'how long to wait for a lock', wholeNumber(1), defaults.lockTimeout)
    .option('--attempts <n>', 'how often a transaction is tried', wholeNumber(1), defaults.attempts);
}
