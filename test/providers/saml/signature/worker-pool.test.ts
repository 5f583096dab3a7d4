// Verification in threads: the same verdicts, nothing held up, and a hostile message that costs no login but its own.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { prescanResponse } from '../../../../src/providers/saml/response/prescan.js'
import { type VerifyInput, verifySaml } from '../../../../src/providers/saml/signature/verify.js'
import {
  createSamlPool,
  type SamlPoolLimits,
  type VerifySaml,
} from '../../../../src/providers/saml/signature/worker-pool.js'
import { createTestClock } from '../../../parts/clock.js'
import { startHttpServer } from '../../../parts/http-server.js'
import { attempt, callbackOf, createSamlIdp, newSigningKey, swap } from '../../../parts/saml-idp.js'
import { openSaml, samlSettings, silent } from '../../../parts/saml-provider.js'
import { until } from '../../../parts/wait-until.js'

const signing = newSigningKey()
const clock = createTestClock()
const idp = createSamlIdp({ signing, clock })
const slow = new URL('../../../parts/slow-saml-worker.ts', import.meta.url)

function input(message = idp.message()): VerifyInput {
  const scan = prescanResponse(message)
  if (!('summary' in scan)) throw new Error(scan.malformed)
  const { summary: facts, xml } = scan
  const signed = { response: facts.responseSignatures > 0, assertion: facts.assertionSignatures > 0 }
  return {
    xml,
    signed,
    signatures: facts.signatures,
    embedded: facts.certificates,
    encrypted: false,
    certificates: [signing.certificate],
    fingerprints: [],
    setting: 'providers[].certificates',
    key: undefined,
    allowSha1: false,
  }
}

function told(xml: string): VerifyInput {
  return { ...input(), xml }
}

/** Room for a busy machine: a thread's start takes seconds there. */
const roomy = { run: 30_000, total: 60_000 }

function verdict(result: Awaited<ReturnType<VerifySaml>>): string {
  if ('failed' in result) return result.failed
  return 'reason' in result ? result.reason : 'in'
}

function open(test: Test, limits: Partial<SamlPoolLimits> = {}) {
  const pool = createSamlPool({ log: silent, limits: { ...roomy, ...limits }, entry: slow })
  test.teardown(pool.close)
  return pool
}

t.test('says what a verification in this thread says', async t => {
  const pool = createSamlPool({ log: silent, limits: roomy })
  t.teardown(pool.close)
  const forged = input(idp.message({ after: swap('Jane@Example.com', 'root@example.com') }))
  for (const one of [input(), forged, { ...input(), certificates: [] }]) {
    t.strictSame(await pool.verify(one), await verifySaml(one))
  }
  t.match(await pool.verify(input()), { value: { nameIds: ['Jane@Example.com'] } })
})

t.test('requests are answered while a verification runs', async t => {
  const pool = open(t)
  const server = await startHttpServer((_request, response) => void response.end('here'))
  t.teardown(server.close)
  let over = false
  const verified = pool.verify(told('busy 2000')).then(() => {
    over = true
  })
  let answered = 0
  while (!over && answered < 20) {
    await (await fetch(server.url)).text()
    if (!over) answered++
  }
  t.equal(answered, 20)
  await verified
})

t.test('Attack: a message that never comes to an end costs its own login only', async t => {
  const pool = open(t, { threads: 1, run: 1500 })
  const verdicts = await Promise.all([pool.verify(told('hang')), pool.verify(input()), pool.verify(input())])
  t.strictSame(verdicts.map(verdict), ['costly', 'in', 'in'])
})

t.test('Attack: so do as many as there are threads, and more', async t => {
  const pool = open(t, { threads: 2, run: 1500 })
  const hostile = Array.from({ length: 4 }, () => pool.verify(told('hang')))
  const honest = [pool.verify(input()), pool.verify(input())]
  t.strictSame(await Promise.all(hostile), Array(4).fill({ failed: 'costly' }))
  t.strictSame((await Promise.all(honest)).map(verdict), ['in', 'in'])
})

t.test('Attack: a message that grows without bound ends its thread, not the process', async t => {
  const pool = open(t, { threads: 1 })
  const verdicts = await Promise.all([pool.verify(told('grow')), pool.verify(input())])
  t.strictSame(verdicts.map(verdict), ['costly', 'in'])
})

t.test('a thread that crashes is replaced', async t => {
  const pool = open(t, { threads: 1 })
  t.equal(verdict(await pool.verify(told('crash'))), 'busy')
  t.equal(verdict(await pool.verify(input())), 'in')
})

t.test('a second thread gets no work before it runs', async t => {
  const pool = open(t, { threads: 2 })
  t.equal(verdict(await pool.verify(input())), 'in')
  const held = join(t.testdir({ held: '' }), 'held')
  process.env.SLOW_SAML_WORKER = held
  t.teardown(() => void Reflect.deleteProperty(process.env, 'SLOW_SAML_WORKER'))
  // Three at a time start the second thread; the first one does everything meanwhile.
  for (let round = 0; round < 3; round++) {
    const verdicts = await Promise.all([pool.verify(told('busy 5')), pool.verify(input()), pool.verify(input())])
    t.strictSame(verdicts.map(verdict), ['saml.signature_invalid', 'in', 'in'])
  }
  await rm(held)
  const hung = pool.verify(told('busy 3000'))
  t.equal(verdict(await pool.verify(input())), 'in', 'the second one works once it runs')
  await hung
})

t.test('who finds the pool full, or waits too long, is told that it is busy', async t => {
  const pool = open(t, { threads: 1, messages: 2, total: 700 })
  const first = pool.verify(told('hang'))
  const second = pool.verify(input())
  t.strictSame(await pool.verify(input()), { failed: 'busy' }, 'at once')
  t.strictSame(await Promise.all([first, second]), [{ failed: 'busy' }, { failed: 'busy' }])
})

t.test('threads end when nothing is left to do, and come back', async t => {
  const pool = open(t, { idle: 20 })
  const resources = () => process.getActiveResourcesInfo().filter(name => name === 'MessagePort').length
  const before = resources()
  t.equal(verdict(await pool.verify(input())), 'in')
  await until(() => resources() <= before)
  t.equal(verdict(await pool.verify(input())), 'in')
})

t.test('once closed it judges nothing, and what was under way ends', async t => {
  const pool = open(t)
  const under = pool.verify(told('hang'))
  await pool.close()
  t.strictSame(await under, { failed: 'busy' })
  t.strictSame(await pool.verify(input()), { failed: 'busy' })
})

t.test('a login meets it as busy (503), or as a message beyond the limits', async t => {
  const reasonOf = async (failed: 'busy' | 'costly') => {
    const { provider } = openSaml(samlSettings([signing.certificate]), { clock, verifySaml: async () => ({ failed }) })
    return (await provider.handleCallback(callbackOf(idp.message(), [attempt]))).reason
  }
  t.equal(await reasonOf('busy'), 'login.busy_unavailable')
  t.equal(await reasonOf('costly'), 'saml.malformed')
})
