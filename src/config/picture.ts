// Tells pictures by their content: a name says nothing. An SVG is read as the XML that browsers need it to be.

import { DOMParser } from '@xmldom/xmldom'

const magic: [media: string, at: number, bytes: string][] = [
  ['image/png', 0, '\x89PNG\r\n\x1a\n'],
  ['image/jpeg', 0, '\xff\xd8\xff'],
  ['image/gif', 0, 'GIF8'],
  ['image/webp', 8, 'WEBP'],
  ['image/x-icon', 0, '\0\0\x01\0'],
]

/** The media type of a picture that every browser shows; else what is wrong with it, to follow its name. */
export function pictureType(bytes: Buffer): { media: string } | { problem: string; hint?: string } {
  const found = magic.find(([, at, text]) => bytes.toString('latin1', at, at + text.length) === text)
  if (found) return { media: found[0] }
  const text = bytes.toString('utf8')
  if (!/<svg[\s>/]/.test(text))
    return { problem: 'unsupported picture format', hint: 'PNG, JPEG, GIF, WebP, ICO or SVG' }
  return svgProblem(text) ?? { media: 'image/svg+xml' }
}

const svgNamespace = 'http://www.w3.org/2000/svg'

/** A script in it does not run: browsers run none in a picture, and the page's policy allows none. */
function svgProblem(text: string): { problem: string; hint?: string } | undefined {
  let problem: string | undefined
  const parser = new DOMParser({ errorHandler: { warning: note, error: note, fatalError: note } })
  function note(message: string) {
    problem ??= message
  }
  try {
    const root = parser.parseFromString(text, 'image/svg+xml').documentElement
    if (!problem && root?.namespaceURI !== svgNamespace) {
      return {
        problem: 'is an SVG without its namespace: browsers do not show it',
        hint: `add xmlns="${svgNamespace}" to svg`,
      }
    }
  } catch {
    problem = 'unreadable'
  }
  return problem === undefined ? undefined : { problem: 'is an SVG that is not well-formed XML' }
}
