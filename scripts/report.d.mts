import type { Parser } from 'tap-parser'

export interface Count {
  passed: number
  failed: number
  skipped: number
}

/** Pipe the runner's TAP into `parser`; `end` takes the runner's exit code and gives the count. */
export function createReport(print: (text: string) => void): {
  parser: Parser
  end(exitCode: number | null): Count
}
