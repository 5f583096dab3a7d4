// A posted response is decoded and scanned once, and each attempt that it names is asked for once.

import t from 'tap'
import type { CallbackRequest } from '../../../src/core/providers.js'
import { handleSamlCallback } from '../../../src/providers/select.js'
import { createTestClock } from '../../parts/clock.js'
import { attempt, createSamlIdp, newSigningKey } from '../../parts/saml-idp.js'
import { openSaml, samlSettings } from '../../parts/saml-provider.js'

const signing = newSigningKey()
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const { provider } = openSaml(samlSettings([signing.certificate]), { clock })

/** A callback that counts how often its message is read. */
function counted(message: string): { callback: CallbackRequest; reads: () => number } {
  let reads = 0
  const callback: CallbackRequest = {
    get message() {
      reads++
      return message
    },
    state: attempt.id,
    attempt: id => (id === attempt.id ? attempt : undefined),
  }
  return { callback, reads: () => reads }
}

const messages: Record<string, string> = {
  'a login': idp.message({ sign: 'both' }),
  'a response without a signature': idp.message({ sign: 'none' as never }),
  'no XML': Buffer.from('hello').toString('base64'),
  'no base64': '%%%',
  'a large response': idp.message({
    sign: 'assertion',
    plan: {
      attributes: [{ name: 'groups', values: Array.from({ length: 900 }, (_, index) => `group-${index}`) }],
    } as never,
  }),
}

for (const [name, message] of Object.entries(messages)) {
  t.test(`${name} is read once`, async t => {
    const { callback, reads } = counted(message)
    await handleSamlCallback(callback, [provider])
    t.equal(reads(), 1)
  })
}
