/** What a verb answers: 0 fine, 1 findings. What it throws is 2: it could not run. */
export type ExitCode = 0 | 1;

/** Something about the command's input or surroundings that its user can mend. */
export class UsageError extends Error {}
