// The Link header (RFC 8288), as far as a list with pages needs it: where the next page is.

/** One link: its target, then its parameters with values as tokens or quoted strings (RFC 8288 3). */
const links = /<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))?)*)/g
const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s";,]+))/i

/** The target of the first link whose relations hold `next`; undefined when there is none. */
export function nextLink(header: string | undefined): string | undefined {
  for (const [, target, parameters = ''] of (header ?? '').slice(0, 8192).matchAll(links)) {
    // RFC 8288 3.3: only the first rel of a link counts, and it may name several relations.
    const [, quoted, token] = relation.exec(parameters) ?? []
    const names = (quoted ?? token ?? '').toLowerCase().split(/\s+/)
    if (names.includes('next')) return target
  }
  return undefined
}
