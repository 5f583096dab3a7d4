// docs/observe.md: its settings load with the one loud warning, and its command prints the report of a running gateway.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { runDeskgate } from '../parts/command.js'
import { loadValid, settings } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { startGateway } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'

const guide = openGuide('docs/observe.md')
const [block = ''] = guide.all('yaml')
const line = guide.commandBlock('deskgate observed')

t.test('settings and command', async t => {
  t.match(loadValid(settings(parse(block))), { mode: 'observe', observe: { enforce: ['/admin/*'] } })
  const desk = await startDesk()
  const adminToken = 'the-admin-token-of-this-test-long-enough'
  const written = {
    ...parse(block),
    publicUrl: 'https://desk.example.com',
    listen: '127.0.0.1:0',
    desk: { url: desk.url },
    providers: [
      { id: 'portal', type: 'jwt', name: 'P', loginUrl: 'https://p.example.com/', secrets: ['s'.repeat(40)] },
    ],
    agents: [{ any: true }],
    ops: { listen: '127.0.0.1:0', adminToken },
  }
  const gateway = await startGateway(written)
  t.teardown(async () => {
    await gateway.stop()
    await desk.close()
  })
  t.match(gateway.stderr(), /mode: only the paths of observe\.enforce are guarded/)
  const run = (...more: string[]) => {
    const args = [...line.trim().split(' ').slice(1), '--ops', gateway.opsUrl, ...more]
    return runDeskgate(args, { folder: gateway.folder, env: { DESKGATE_ADMIN_TOKEN: adminToken } })
  }
  t.match(await run(), { code: 0, stdout: /^nothing would have been stopped since / })
  t.equal((await fetch(`${gateway.url}/tickets/4711`)).status, 200)
  t.match(await run(), {
    code: 0,
    stdout:
      /^GET \/tickets\/\* {2}\(program\) {2}1\n {2}no session\n {2}127\.0\.0\.1, last at .*\n\n1 request would have been/,
  })
  const { stdout } = await run('--json')
  t.match(JSON.parse(stdout), { mode: 'observe', requests: 1, groups: [{ path: '/tickets/*' }] })
  t.equal((await fetch(`${gateway.url}/admin/users`)).status, 401)
  guide.everyBlockRan(t)
  const page = readFileSync(join(import.meta.dirname, '../../docs/observe.md'), 'utf8')
  for (const why of ['no_session', 'forbidden', 'step_up', 'bearer_refused', 'wrong_origin', 'store_unavailable'])
    t.match(page, `\`${why}\``)
})
