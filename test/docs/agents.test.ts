// The examples of docs/agents.md load.

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { jwtProvider, problemMessages, samlProvider, settings, warningMessages } from '../parts/configuration.js'

const text = await readFile(resolve(import.meta.dirname, '../../docs/agents.md'), 'utf8')
const env = { ZENDESK_AUTHORIZATION: 'Basic x', RT_TOKEN: 'token x' }
const files = { 'agents.yaml': '- { email: ada@example.com }' }

t.test('every example of the page about agents is right', async t => {
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => parse(block ?? '') as unknown)
  t.equal(blocks.length, 8)
  for (const block of blocks) {
    const whole = Array.isArray(block) ? { agents: block } : (block as Record<string, unknown>)
    const providers = (whole.providers as { type?: string }[] | undefined)?.map(one => {
      return { ...(one.type === 'saml' ? samlProvider : jwtProvider), ...one }
    })
    const example = settings({ trustedProxies: ['10.0.0.1/32'], ...whole, ...(providers ? { providers } : {}) })
    t.same(problemMessages(example, { env, files }), [], JSON.stringify(block))
    t.same(warningMessages(example, { env, files }), [])
  }
})
