// Runs a function later, once. The scheduler is passed as an argument, so that tests control it.

/** Runs `run` after `ms` milliseconds, unless it is cancelled. */
export type Scheduler = (run: () => void, ms: number) => { cancel(): void }

/** Does not keep the process alive. */
export const systemScheduler: Scheduler = (run, ms) => {
  const timeout = setTimeout(run, ms)
  timeout.unref()
  return { cancel: () => clearTimeout(timeout) }
}
