// W3C Trace Context (Level 2): what a client says of its trace reaches Desk as it came, or not at all. The trace ID names
// the request in the log; nothing is decided by it, as any client may choose it.

/** The trace that a request belongs to. */
export interface Trace {
  /** 32 hexadecimal digits. */
  id: string
  /** The span of the client that sent the request: 16 hexadecimal digits. Without it the trace begins here. */
  parent?: string
  /** Whether it is recorded. */
  sampled: boolean
}

/** Version, trace ID, parent ID, flags; a later version may have more (3.2.2, 3.2.4). */
const traceparent = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-[!-~]*)?$/

/**
 * The trace of a request; undefined where its traceparent is missing, invalid or repeated (3.2.1, 3.3): then neither it
 * nor a tracestate goes to Desk, which begins a trace of its own. Names and values alternate.
 */
export function readTrace(rawHeaders: readonly string[]): Trace | undefined {
  let found: string | undefined
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 11 || name.toLowerCase() !== 'traceparent') continue
    if (found !== undefined) return undefined
    found = rawHeaders[i + 1]
  }
  return found === undefined ? undefined : parseTraceparent(found)
}

function parseTraceparent(value: string): Trace | undefined {
  const [, version, id, parent, flags] = traceparent.exec(value) ?? []
  if (id === undefined || parent === undefined || flags === undefined) return undefined
  if (version === '00' && value.length !== 55) return undefined
  return { id, parent, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** How lines of the log and the audit log name a request. */
export function requestIds(context: { id: string; trace?: Trace | undefined }): { request: string; trace?: string } {
  return { request: context.id, ...traceIdOf(context) }
}

/** The trace ID as a field, for responses too. */
export function traceIdOf({ trace }: { trace?: Trace | undefined }): { trace?: string } {
  return trace === undefined ? {} : { trace: trace.id }
}
