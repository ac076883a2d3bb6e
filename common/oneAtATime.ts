/** Runs work one at a time. */
export interface OneAtATime {
  /** Runs it now, or once more behind the run that is under way. */
  call(): void;
  /** Resolves once no run is under way or due. */
  idle(): Promise<void>;
}

/** @param work must not reject. However often it was called for during a run, it is one more run. */
export function oneAtATime(work: () => Promise<void>): OneAtATime {
  let running: Promise<void> | undefined;
  let due = false;
  const run = async () => {
    while (due) {
      due = false;
      await work();
    }
    running = undefined;
  };
  return {
    call: () => {
      due = true;
      running ??= run();
    },
    idle: async () => running,
  };
}
