// Times as SAML writes them. A time that could be read in two ways is not a time.

const format = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/

/**
 * Milliseconds since the epoch, or undefined when the text is not an xs:dateTime in UTC with a Z (SAML Core 1.3.3).
 * Attack: without a zone, Date.parse takes the local time of this host; years beyond 9999 outlive every limit.
 */
export function samlTime(text: string | undefined): number | undefined {
  if (text === undefined || !format.test(text)) return undefined
  const at = Date.parse(text)
  // 30 February is parsed as 2 March: only what is written back alike is a date.
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined
  return at
}

/** How far the clock of an IdP that issued something at that time is from ours, in words. Milliseconds since the epoch. */
export function describeClock(issuedAt: number | undefined, now: number): string {
  if (issuedAt === undefined) return 'not known'
  const seconds = Math.round((issuedAt - now) / 1000)
  const away = seconds === 0 ? 'in step' : `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`
  return `${away} (it issued this at ${new Date(issuedAt).toISOString()})`
}

const duration =
  /^P(?=\d|T\d)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.\d{1,9})?S)?)?$/
/** Years and months have no fixed length; for how long to keep a copy these do. */
const lengths = [31_536_000_000, 2_592_000_000, 86_400_000, 3_600_000, 60_000, 1000]

/** Milliseconds of an xs:duration that is not negative, or undefined when the text is none. */
export function samlDuration(text: string): number | undefined {
  const parts = duration.exec(text.trim())?.slice(1)
  return parts?.reduce((sum, part, index) => sum + Number(part ?? 0) * (lengths[index] ?? 0), 0)
}
