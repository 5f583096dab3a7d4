// What a signal does to a gateway of one process: the first SIGTERM begins a long end, a second one does not wait for it.

import t from 'tap'
import { startGateway } from '../parts/gateway.js'
import { until } from '../parts/wait-until.js'

const settings = {
  publicUrl: 'https://desk.example.com',
  listen: '127.0.0.1:0',
  desk: { url: 'http://127.0.0.1:9' },
  providers: [{ id: 'p', type: 'jwt', name: 'P', loginUrl: 'https://p.example.com/', secrets: ['x'.repeat(40)] }],
  agents: [{ any: true }],
  ops: { listen: '127.0.0.1:0' },
  // The first signal alone would serve on for more than an hour.
  drain: '4h',
}

t.test('a second signal ends it at once', async t => {
  const gateway = await startGateway(settings)
  const gone = new Promise(resolve => gateway.child.once('close', resolve))
  gateway.child.kill('SIGTERM')
  await until(async () => (await fetch(`${gateway.opsUrl}/ready`)).status === 503)
  t.equal(gateway.child.exitCode, null, 'it serves on')
  t.equal((await fetch(`${gateway.opsUrl}/live`)).status, 200)
  gateway.child.kill('SIGTERM')
  t.not(await gone, 0, 'that was no orderly end')
  await gateway.stop()
})

t.test('SIGHUP ends nothing, however often it comes', async t => {
  const gateway = await startGateway(settings)
  for (let count = 0; count < 3; count++) gateway.child.kill('SIGHUP')
  t.equal((await fetch(`${gateway.opsUrl}/live`)).status, 200)
  t.equal(await gateway.stop(), 0)
})
