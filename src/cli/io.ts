// The environment and the output of a command. Commands return an exit code and never exit by themselves.

export interface Io {
  env: NodeJS.ProcessEnv
  out(line: string): void
  err(line: string): void
  /** Where questions can be asked: only when stdin is a terminal. */
  terminal?: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream }
}

/** 0 done, 1 problems found (on stderr, one line each), 2 usage error. */
export type ExitCode = 0 | 1 | 2
