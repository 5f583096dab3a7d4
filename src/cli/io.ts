// What a command may touch of its surroundings, and how it ends. Commands return an exit code and never exit by themselves.

export interface Io {
  env: NodeJS.ProcessEnv
  out(line: string): void
  err(line: string): void
}

/** Exit codes: 0 done, 1 it found a problem (said on stderr, one line each), 2 wrong usage. */
export type ExitCode = 0 | 1 | 2
