// Cuts the signatures that count out of a response while it is scanned, so that the key that made them can be looked for
// without reading the rest. What it cuts is untrusted.

import { MalformedXml } from '../../xml/reader.js'

/** Elements in a signature: about fifteen, and a few more for a chain of certificates. */
const largestSignature = 48

/** Cuts out the signatures that count, each with the tags around it, whose namespaces it needs. `root`: the message. */
export function createSignatureCutter(xml: string, cut: string[], root = 'p:Response') {
  const around: string[] = []
  let begun: { from: number; depth: number } | undefined
  let within = 0
  return {
    open(place: string, from: number, to: number) {
      if (begun && ++within > largestSignature) throw new MalformedXml('a signature with too many elements')
      if (place === root) around[0] = xml.slice(from, to)
      if (place === 'p:Response/a:Assertion') around[1] = xml.slice(from, to)
      const depth = place === `${root}/d:Signature` ? 2 : 3
      if (depth === 3 && place !== 'p:Response/a:Assertion/d:Signature') return
      begun = { from, depth }
      within = 0
    },
    close(depth: number, to: number) {
      if (begun?.depth !== depth) return
      const tags = around.slice(0, depth - 1)
      const ends = tags.map(tag => `</${tag.slice(1).split(/[\s>]/, 1)[0]}>`).reverse()
      cut.push(`${tags.join('')}${xml.slice(begun.from, to)}${ends.join('')}`)
      begun = undefined
    },
  }
}
