// A problem of a configuration: place, message, hint. Messages never contain a value, only names of keys, files and
// variables: a secret may stand in the wrong place.

export interface Problem {
  file: string
  /** Counted from 1. */
  line: number
  column: number
  /** Dotted, such as providers[0].secrets[1]; '(yaml)' or '(file)' when it concerns no key. */
  key: string
  message: string
  hint?: string
}

export type Place = Pick<Problem, 'file' | 'line' | 'column'>

export type Path = readonly (string | number)[]

/** A problem without its position in the file. */
export interface Finding {
  path: Path
  message: string
  hint?: string | undefined
}

export function problemAt(place: Place, key: string, message: string, hint: string | undefined): Problem {
  return { ...place, key, message, ...(hint === undefined ? {} : { hint }) }
}

/** The most problems that are shown. */
const maxProblems = 100

/** FILE:LINE:COL key: problem (hint) */
export function formatProblem(problem: Problem): string {
  const hint = problem.hint === undefined ? '' : ` (${problem.hint})`
  const line = `${problem.file}:${problem.line}:${problem.column} ${problem.key}: ${problem.message}${hint}`
  // Attack: a name in the file that holds control or format characters would write lines of its own, or hide itself.
  return line.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, ' ')
}

/** providers[0].secrets[1]; a name that is not a plain word is quoted. */
export function dotted(path: Path): string {
  const written = path.map((part, index) => {
    if (typeof part === 'number') return `[${part}]`
    // Attack: a key with control characters would write its own lines into a log or a terminal.
    if (!/^[\w-]{1,60}$/.test(part)) return `[${JSON.stringify(printable(part))}]`
    return index === 0 ? part : `.${part}`
  })
  return written.join('') || '(file)'
}

/** A name in a form that is safe in a message. */
export function printable(text: string): string {
  const shown = text.replace(/[\p{C}\p{Z}]/gu, ' ')
  return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown
}

/** In the order of the file, without duplicates, and at most `maxProblems`. */
export function inOrder(problems: Problem[]): Problem[] {
  const seen = new Set<string>()
  const once = problems.filter(problem => {
    const line = formatProblem(problem)
    return seen.has(line) ? false : seen.add(line)
  })
  const rank = (problem: Problem) => problem.line * 100_000 + problem.column
  const sorted = once.sort((a, b) => (a.file === b.file ? rank(a) - rank(b) : a.file < b.file ? -1 : 1))
  const last = sorted[maxProblems]
  if (!last) return sorted
  return [
    ...sorted.slice(0, maxProblems),
    { ...last, key: '(file)', message: `has ${sorted.length - maxProblems} more problems` },
  ]
}
