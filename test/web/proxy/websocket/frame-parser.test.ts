// Where frames end, in whatever pieces their bytes come.

import fc from 'fast-check'
import t from 'tap'
import { closeFrame, createFrameParser } from '../../../../src/web/proxy/websocket/frame-parser.js'
import { frame } from '../../../parts/websocket.js'

const kinds = fc.constantFrom(0, 1, 2, 8, 9, 10)
const lengths = fc.constantFrom(0, 1, 2, 125, 126, 127, 200, 65_535, 65_536, 70_000)
const frames = fc.array(fc.record({ opcode: kinds, length: lengths, masked: fc.boolean(), final: fc.boolean() }), {
  maxLength: 6,
})

t.test('the end of every frame is found, however the bytes are cut', t => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat(80_000), { maxLength: 12 }), (list, cuts) => {
      const parts = list.map(({ length, ...kind }) => frame(Buffer.alloc(length, 0x81), kind))
      const bytes = Buffer.concat(parts)
      const ends = new Set(parts.map((_, at) => Buffer.concat(parts.slice(0, at + 1)).length))
      const places = [...new Set([0, ...cuts.filter(cut => cut < bytes.length), bytes.length])].sort((a, b) => a - b)
      let data = 0
      const followed = createFrameParser(() => data++)
      for (const [at, end] of places.slice(1).entries()) {
        followed.follow(bytes.subarray(places[at], end))
        if (followed.atBoundary() !== ends.has(end)) return false
      }
      return data === list.filter(({ opcode }) => opcode < 8).length
    }),
    { numRuns: 100 },
  )
  t.end()
})

t.test('byte by byte, in a frame of every size', t => {
  for (const length of [0, 5, 126, 66_000]) {
    for (const masked of [true, false]) {
      const bytes = frame(Buffer.alloc(length), { opcode: 2, masked })
      const followed = createFrameParser()
      let wrong = 0
      for (let at = 0; at < bytes.length; at++) {
        if (followed.atBoundary() !== (at === 0)) wrong++
        followed.follow(bytes.subarray(at, at + 1))
      }
      t.same([wrong, followed.atBoundary()], [0, true], `${length} bytes`)
    }
  }
  t.end()
})

t.test('advance stops at the end of the current frame', t => {
  const [first, second] = [frame(Buffer.from('one'), { opcode: 1 }), frame(Buffer.from('two'), { opcode: 1 })]
  const followed = createFrameParser()
  followed.follow(first.subarray(0, 3))
  t.equal(followed.advance(Buffer.concat([first.subarray(3), second]), 0), first.length - 3)
  t.ok(followed.atBoundary())
  t.end()
})

t.test('a close frame is noticed, and bytes that are not frames do no harm', t => {
  const followed = createFrameParser()
  followed.follow(closeFrame(1000, ''))
  t.ok(followed.closing())
  const random = createFrameParser()
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), bytes => void random.follow(Buffer.from(bytes))))
  const endless = createFrameParser()
  endless.follow(Buffer.from([0x82, 0x7f, ...Array(8).fill(0xff), 1, 2, 3]))
  t.notOk(endless.atBoundary())
  t.end()
})

t.test('the close frame is what RFC 6455 5.5.1 says', t => {
  t.same(
    closeFrame(4401, 'session ended'),
    Buffer.from(`880f1131${Buffer.from('session ended').toString('hex')}`, 'hex'),
  )
  t.end()
})
