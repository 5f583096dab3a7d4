// Lines on their way out, in their order. Those of the log leave at once, so that a crash loses none; those of requests
// leave together, a tenth of a second late at most: a write for each would cost more than what it tells of.

/** Where whole lines go, each with its line break. */
export interface LineSink {
  write(text: string): unknown
}

export interface Lines extends LineSink {
  /** May wait a little, for others. */
  later(line: string): void
  flush(): void
}

/** Characters that wait at most, and for how many milliseconds. */
const [usual, patience] = [16 * 1024, 100]

/** `enough`: other than the usual number of characters that may wait. */
export function createLines(sink: LineSink, { enough = usual }: { enough?: number } = {}): Lines {
  let waiting = ''
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    if (waiting === '') return
    clearTimeout(timer)
    timer = undefined
    process.removeListener('exit', flush)
    const text = waiting
    waiting = ''
    sink.write(text)
  }

  return {
    flush,
    write(line) {
      flush()
      return sink.write(line)
    },
    later(line) {
      waiting += line
      if (waiting.length >= enough) return flush()
      if (timer) return
      timer = setTimeout(flush, patience).unref()
      process.once('exit', flush)
    },
  }
}
