// The work of the scan: linear in the message, whatever it is made of, and with room for what real providers send.

import t from 'tap'
import { prescanResponse, responseLimits } from '../../../src/providers/saml/response/prescan.js'
import { encode, swap } from '../../parts/saml-idp.js'
import { idp } from './attack.js'

const beside = (content: string) => ({
  after: swap('<samlp:Status>', `<samlp:Extensions>${content}</samlp:Extensions><samlp:Status>`),
})
const many = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => make(index)).join('')

t.test('a message of exactly 256 kB is read', async t => {
  const scan = prescanResponse(encode(idp.xml().padEnd(256 * 1024)))
  t.ok('summary' in scan)
})

const shapes: Array<[string, (size: number) => string]> = [
  ['elements', size => '<x/>'.repeat(size)],
  ['elements with attributes', size => '<x a="1" b="2"/>'.repeat(size)],
  ['elements with namespaces', size => '<p:x xmlns:p="urn:p" p:a="1"/>'.repeat(size)],
  ['IDs', size => many(size, index => `<x ID="i${index}"/>`)],
  ['text and elements', size => 'text<x/>'.repeat(size)],
  ['references', size => `<x>${'&amp;&#65;'.repeat(size)}</x>`],
  ['text', size => `<x>${'a]]>'.replace('>', '').repeat(size * 10)}</x>`],
  ['white space', size => `<x${' '.repeat(size * 10)}/>`],
  ['deep inside', size => `${'<y xmlns:q="urn:q">'.repeat(15)}${'<q:x/>'.repeat(size)}${'</y>'.repeat(15)}`],
]
for (const [name, make] of shapes) {
  t.test(`the work of the scan grows as the message does: ${name}`, async t => {
    const work = [500, 1000, 2000].map(size => {
      const scan = prescanResponse(encode(idp.xml(beside(make(size)))))
      if (!('summary' in scan)) throw new Error(scan.malformed)
      return { steps: scan.summary.steps, bytes: scan.summary.bytes }
    })
    // No character is looked at more than a few times, whatever the size.
    for (const { steps, bytes } of work) t.ok(steps > bytes / 3 && steps <= bytes * 2, `${steps} for ${bytes}`)
  })
}

t.test('the limits leave room for 2,000 groups, each an attribute of its own', async t => {
  t.ok(responseLimits.elements >= 4100 && responseLimits.elements <= 5000)
})
