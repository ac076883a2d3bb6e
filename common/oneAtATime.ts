/** Runs some work one at a time. */
export interface OneAtATime {
  /** Runs the work now, or once more after the current run. */
  call(): void;
  /** Resolves once no run is in progress or requested. */
  idle(): Promise<void>;
}

/** Any number of calls during a run cause one further run. @param work must not reject. */
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
