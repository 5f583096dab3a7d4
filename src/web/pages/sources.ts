// A page, and the part of its Content-Security-Policy that allows exactly the inline styles and scripts in it.

import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'

export interface RenderedPage {
  text: string
  sources: string
}

/** `styles` and `scripts`: the texts of these elements, as they are in the page. */
export function withSources(text: string, styles: readonly string[], scripts: readonly string[]): RenderedPage {
  const list = (inline: readonly string[]) => (inline.length === 0 ? "'none'" : inline.map(sha256).join(' '))
  return { text, sources: `style-src ${list(styles)}; script-src ${list(scripts)}; img-src data:` }
}

/** Whether the page's policy lets this script run. */
export function allows({ sources }: RenderedPage, script: string): boolean {
  return sources.includes(sha256(script))
}

const hashes = new LRUCache<string, string>({ max: 100 })

function sha256(text: string): string {
  const known = hashes.get(text)
  if (known !== undefined) return known
  const source = `'sha256-${createHash('sha256').update(text).digest('base64')}'`
  hashes.set(text, source)
  return source
}
