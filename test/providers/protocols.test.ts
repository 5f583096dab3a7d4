// The registry of protocols: complete, and each line says what the rest of the gateway needs.

import t from 'tap'
import type { Provider } from '../../src/core/providers.js'
import { reasons, statusOf } from '../../src/core/reasons.js'
import { protocols } from '../../src/providers/create.js'

const types = Object.keys(protocols) as Provider['type'][]

t.test('every protocol has reasons of its own', async t => {
  t.same(types, ['saml', 'jwt'])
  for (const type of types) {
    const { malformed, replayed, unselected, messageFields } = protocols[type]
    t.equal(protocols[type].type, type)
    for (const reason of [malformed, replayed, unselected]) {
      t.ok(reasons.includes(reason), reason)
      t.match(reason, new RegExp(`^${type}\\.`))
      t.equal(statusOf(reason), 400)
    }
    t.ok(messageFields.length > 0)
  }
})

t.test('a message for nobody is refused, whatever it is', async t => {
  for (const type of types) {
    for (const message of ['', 'x', 'a.b.c', Buffer.from('<a/>').toString('base64')]) {
      const verdict = await protocols[type].handleCallback({ message, attempt: () => undefined }, [])
      t.notOk(verdict && 'identity' in verdict && verdict.identity, `${type}: ${message}`)
    }
  }
})
