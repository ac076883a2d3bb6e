/** Exit code of a command: 0 for success, 1 for findings, 2 if a check could not run or the command throws. */
export type ExitCode = 0 | 1 | 2;

/** A problem with the input or the environment of a command that its user can fix. */
export class UsageError extends Error {}
