/** The exit code of a verb: 0 fine, 1 findings, 2 something could not be judged. An error that it throws is 2, too. */
export type ExitCode = 0 | 1 | 2;

/** Something about the command's input or surroundings that its user can mend. */
export class UsageError extends Error {}
