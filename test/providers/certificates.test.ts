// The end of an IdP's certificates is told in time: as a gauge, and 30, 7 and 1 days before in the log, once each.

import t from 'tap'
import { createLog } from '../../src/ops/log.js'
import { createMetrics } from '../../src/ops/metrics.js'
import { certificatesIn, createCertificateWatch } from '../../src/providers/certificates.js'
import { createTestClock } from '../parts/clock.js'
import { newSigningKey } from '../parts/saml-idp.js'

const day = 86_400_000
const start = Date.UTC(2026, 10, 22)
const until = (days: number) => certificatesIn(newSigningKey('idp', start + days * day).certificate)
const short = until(40)
const long = until(400)

function open(first: typeof short) {
  const clock = createTestClock(start)
  const metrics = createMetrics()
  const lines: { days: number; msg: string; level: string; until: string }[] = []
  const log = createLog({ level: 'info' }, { write: line => void lines.push(JSON.parse(line)) })
  let certificates = first
  let run = () => {}
  const schedule = (next: () => void) => {
    run = next
    return { cancel: () => (run = () => {}) }
  }
  const watch = createCertificateWatch({
    provider: 'corp',
    certificates: () => certificates,
    ...{ clock, log, metrics, schedule },
  })
  return {
    ...{ watch, clock, lines },
    /** Ten minutes' looks, for so many days. */
    pass(days: number) {
      for (let part = 0; part < days * 4; part++) {
        clock.move(day / 4)
        run()
      }
    },
    replace: (by: typeof short) => (certificates = by),
    gauge: async () =>
      Number(/deskgate_idp_certificate_expiry_seconds\{provider="corp"\} (\S+)/.exec((await metrics.text()).body)?.[1]),
  }
}

t.test('30, 7 and 1 days before, and at the end, once each', async t => {
  const { pass, lines, gauge } = open(short)
  t.equal(await gauge(), 40 * 86_400)
  pass(50)
  t.strictSame(
    lines.map(({ days, level }) => [days, level]),
    [30, 7, 1, 0].map(days => [days, 'warn']),
  )
  t.match(lines[0], { provider: 'corp', until: '2027-01-01T00:00:00.000Z', msg: /expires soon/ })
  t.match(lines[3]?.msg, /has expired/)
  t.equal(await gauge(), -10 * 86_400, 'the gauge goes on by itself')
})

t.test('a start shortly before the end tells the nearest mark only', async t => {
  const { lines, pass } = open(until(3))
  t.equal(lines.length, 1)
  pass(2.5)
  t.strictSame(
    lines.map(({ days }) => days),
    [3, 1],
  )
})

t.test('a new certificate beside the old one ends the warnings; its own end is told again', async t => {
  const { lines, pass, replace, gauge } = open(short)
  pass(15)
  replace([...short, ...long])
  pass(30)
  t.equal(lines.length, 1)
  t.equal(await gauge(), (400 - 45) * 86_400)
  replace(long)
  pass(350)
  t.equal(lines.length, 3)
})

t.test('without a certificate, or once closed, it says nothing', async t => {
  const { watch, lines, pass, gauge } = open([])
  t.ok(Number.isNaN(await gauge()))
  watch.close()
  pass(1)
  t.equal(lines.length, 0)
})
