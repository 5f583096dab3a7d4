// Output of log lines, in order. Ordinary lines are written at once, so that a crash loses none; access log lines are
// written in batches, at most a tenth of a second late: a write for each would cost more than the request itself.

/** Takes whole lines, each with its line break. */
export interface OutputSink {
  write(text: string): unknown
}

export interface BufferedOutput extends OutputSink {
  /** Written with others, at most `maxDelay` later. */
  writeSoon(line: string): void
  flush(): void
}

/** The most characters that are buffered, and the longest delay in milliseconds. */
const [defaultSize, maxDelay] = [16 * 1024, 100]

/** `size`: the number of characters that may be buffered. */
export function createBufferedOutput(sink: OutputSink, { size = defaultSize }: { size?: number } = {}): BufferedOutput {
  let buffered = ''
  let timer: NodeJS.Timeout | undefined

  const flush = () => {
    if (buffered === '') return
    clearTimeout(timer)
    timer = undefined
    process.removeListener('exit', flush)
    const text = buffered
    buffered = ''
    sink.write(text)
  }

  return {
    flush,
    write(line) {
      flush()
      return sink.write(line)
    },
    writeSoon(line) {
      buffered += line
      if (buffered.length >= size) return flush()
      if (timer) return
      timer = setTimeout(flush, maxDelay).unref()
      process.once('exit', flush)
    },
  }
}
