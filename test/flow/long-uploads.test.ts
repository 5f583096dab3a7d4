// An upload that may finish after its session has expired ends at once when somebody ends the session or its agent's access:
// also on another replica, and when the store has long forgotten the session.

import { setTimeout as wait } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { logIn } from '../parts/identity-provider.js'
import { ada, publicUrl, revoke, startKept } from '../parts/kept.js'
import { openRaw } from '../parts/raw-http.js'
import { until } from '../parts/wait-until.js'

const hour = 3_600_000
/** The gateway looks at what is open every 400 ms. */
const ticks = (count: number) => wait(count * 400)

/** An upload by way of the first replica, of a session that has expired five minutes ago. */
async function expiredUpload(t: Test, sessions: Record<string, string>) {
  const kept = await startKept(t, { sessions })
  let bytes = 0
  kept.desk.onRequest(request => request.on('data', chunk => (bytes += chunk.length)))
  const agent = kept.agent()
  await logIn(agent, kept.idp, { way: 'corp', email: ada })
  const upload = openRaw(kept.one.port)
  t.teardown(upload.close)
  const head = ['POST /files HTTP/1.1', `Host: ${new URL(publicUrl).host}`, `Cookie: ${agent.cookieHeader('/')}`]
  upload.send(`${head.join('\r\n')}\r\nContent-Length: 9000000\r\n\r\n`)
  let sent = 0
  const send = async () => {
    upload.send(Buffer.alloc(20_000, 0x61))
    sent += 20_000
    await until(() => bytes === sent)
  }
  await send()
  // Every response that is open for two ticks is watched, and nothing says so.
  await ticks(3)
  kept.clock.move(hour)
  await ticks(2)
  for (let i = 0; i < 30; i++) {
    await send()
    kept.clock.move(10_000)
  }
  t.equal(upload.socket.destroyed, false)
  return { kept, upload }
}

for (const [end, sessions] of Object.entries({
  'the idle end': { idle: '1h', lifetime: '24h' },
  'the absolute end': { idle: '24h', lifetime: '1h' },
})) {
  t.test(`an operator ends the sessions of its agent on another replica, after ${end}`, async t => {
    const { kept, upload } = await expiredUpload(t, sessions)
    await revoke(kept.two)
    await upload.ended()
  })

  t.test(`its agent is no longer in the directory, after ${end}`, async t => {
    const { kept, upload } = await expiredUpload(t, sessions)
    await kept.one.reload({ ...kept.settings, agents: [{ domains: ['example.org'] }] })
    await upload.ended()
  })
}
