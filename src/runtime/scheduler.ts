// Later, once: the one timer of what runs in the background, as an argument, so that tests move it by hand.

/** Runs `run` after `ms` milliseconds, unless it is cancelled. */
export type Later = (run: () => void, ms: number) => { cancel(): void }

/** Keeps no process alive. */
export const timer: Later = (run, ms) => {
  const timeout = setTimeout(run, ms)
  timeout.unref()
  return { cancel: () => clearTimeout(timeout) }
}
