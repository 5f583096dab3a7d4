// Times as SAML writes them. A time that could be read in two ways is no time.

const shape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/**
 * Milliseconds since the epoch, or undefined when the text is no xs:dateTime in UTC with a Z (SAML Core 1.3.3).
 * Attack: without a zone, Date.parse takes the local time of this host; years beyond 9999 outlive every limit.
 */
export function samlTime(text: string | undefined): number | undefined {
  if (text === undefined || !shape.test(text)) return undefined
  const at = Date.parse(text)
  // 30 February is parsed as 2 March: only what is written back alike is a date.
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined
  return at
}

/** How far the clock of an IdP that issued something at that time is from ours, in words. Milliseconds since the epoch. */
export function clockOf(issuedAt: number | undefined, now: number): string {
  if (issuedAt === undefined) return 'not known'
  const seconds = Math.round((issuedAt - now) / 1000)
  const away = seconds === 0 ? 'in step' : `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`
  return `${away} (it issued this at ${new Date(issuedAt).toISOString()})`
}
