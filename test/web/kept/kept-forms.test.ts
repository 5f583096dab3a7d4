// Kept forms in every store that the gateway has: on one server, behind Sentinels, in a cluster, and in memory.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createKeyring } from '../../../src/keys/keyring.js'
import { systemRandom } from '../../../src/runtime/clock.js'
import { createKeptForms } from '../../../src/web/kept/kept-forms.js'
import { createTestClock } from '../../parts/clock.js'
import { storeKinds } from '../../parts/store-backends.js'

const limits = { for: 600_000, size: 1024 * 1024, total: 4 * 1024 * 1024 }
const about = { agent: 'ada@example.com', target: '/tickets/7', contentType: 'text/plain' }
const handle = 'h'.repeat(43)

for (const kind of storeKinds) {
  t.test(kind.name, { skip: kind.skip }, async t => {
    const clock = createTestClock(Date.now())
    const stores = await kind.start(clock)
    t.teardown(stores.end)
    const on = (publicUrl = 'https://desk.example.com', secret = 's'.repeat(40)) =>
      createKeptForms({
        ...{ store: stores.another(), clock, random: systemRandom, publicUrl: () => publicUrl },
        keyring: createKeyring([secret], { random: systemRandom }),
      })
    const [one, two] = [on(), on()]
    const keep = async (bytes: Buffer) => {
      const writer = await one.begin(handle, bytes.length, limits)
      await writer?.write(bytes)
      await writer?.finish(about)
      return writer?.key
    }

    const bytes = randomBytes(300_000)
    const key = await keep(bytes)
    const form = await two.find(key)
    t.match(form?.head, { ...about, bytes: 300_000 })
    t.equal(await form?.isWhole(), true)
    const parts: Buffer[] = []
    if (form) for await (const part of form.read()) parts.push(part)
    t.ok(Buffer.concat(parts).equals(bytes))
    t.equal(await on('https://other.example.com').find(key), undefined, 'not with another publicUrl')
    t.equal(await on(undefined, 'x'.repeat(40)).find(key), undefined, 'not with other secrets')
    t.equal(await one.find(randomBytes(32).toString('base64url')), undefined)
    t.equal(await one.find('x'), undefined)

    t.same((await Promise.all([one, two, one].map(async forms => (await forms.find(key))?.claim()))).sort(), [
      false,
      false,
      true,
    ])
    t.equal(await form?.isClaimed(), true)
    await form?.unclaim()
    t.equal(await form?.isClaimed(), false)
    t.equal(await two.discard(key), true)
    t.equal(await two.discard(key), false)

    const kept: (string | undefined)[] = []
    for (let i = 0; i < 3; i++) kept.push(await keep(Buffer.alloc(500_000)))
    t.same(kept.map(Boolean), [true, true, false], 'a quarter of the total for one session')
    await one.discard(kept[0])
    t.ok(await keep(Buffer.alloc(500_000)), 'and what is thrown away makes room')
    clock.move(600_000)
    t.equal(await one.find(kept[1]), undefined)
  })
}
