// Reads the form of a page as a browser does: where it goes, and what its fields hold before anybody types.

export interface PageForm {
  /** As written, with its character references read. */
  action: string
  fields: Record<string, string>
}

/** The first form of a page. Throws when there is none. */
export function formIn(html: string): PageForm {
  const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html)
  if (!form)
    throw new Error(
      `the page has no form: ${html
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .slice(0, 600)}`,
    )
  const [, attributes = '', content = ''] = form
  const inputs = content.match(/<input\b[^>]*>/gi) ?? []
  const fields = inputs.flatMap((input): [string, string][] => {
    const name = attribute(input, 'name')
    return name === undefined ? [] : [[name, attribute(input, 'value') ?? '']]
  })
  return { action: attribute(attributes, 'action') ?? '', fields: Object.fromEntries(fields) }
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(`\\s${name}="([^"]*)"`, 'i').exec(tag)?.[1]
  return value === undefined ? undefined : unescaped(value)
}

/** Where a browser without scripts is sent on to; undefined when the page sends it nowhere. */
export function refreshIn(html: string): string | undefined {
  const href = /<noscript><meta http-equiv="refresh" content="0; url=([^"]*)"><\/noscript>/.exec(html)?.[1]
  return href === undefined ? undefined : unescaped(href)
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** An attribute's value as a browser reads it. */
export function unescaped(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (decimal) return String.fromCodePoint(Number(decimal))
    return named[name] ?? whole
  })
}
