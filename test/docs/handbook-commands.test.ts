// Every command of the page on troubles runs, as it is written there, against a running gateway, and does what the page says.

import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { systemClock } from '../../src/runtime/clock.js'
import { longSecret } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'
import { openShell } from '../parts/guide-shell.js'
import { createIdentityProvider, logIn, type Way } from '../parts/identity-provider.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const token = longSecret('token')
const page = readFileSync(join(import.meta.dirname, '../../docs/troubles.md'), 'utf8')
const { commandBlock: block, everyBlockRan } = openGuide('docs/troubles.md')

t.test('what to do when', async t => {
  const desk = await startDesk()
  t.teardown(desk.close)
  const base = {
    publicUrl,
    desk: { url: desk.url },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ file: 'agents.yaml' }],
    ops: { adminToken: { file: 'token' } },
  }
  const agents = '- { email: ana@example.com }\n- { email: ben@example.com }\n'
  const files = { 'idp.crt': idp.certificate, 'agents.yaml': agents, token }
  const gateway = await startInProcessGateway(base, { files })
  t.teardown(gateway.close)
  const opsPort = new URL(gateway.opsUrl).port
  const whole = { ...base, ops: { ...base.ops, listen: `127.0.0.1:${opsPort}` } }
  const shell = await openShell(t, { ...files, 'deskgate.yaml': JSON.stringify(whole) })
  const enter = async (way: Way, email: string) => {
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    const { status } = await logIn(agent, idp, { way, email })
    t.ok([200, 302, 303].includes(status), `${email} logs in: ${status}`)
    return agent
  }
  const inside = async (agent: ReturnType<typeof createUserAgent>) => (await agent.fetch('/tickets')).status === 200
  const ana = await enter('portal', 'ana@example.com')
  const [first, second] = [await enter('portal', 'ben@example.com'), await enter('portal', 'ben@example.com')]
  const other = await enter('corp', 'ben@example.com')
  const stranger = createUserAgent(publicUrl, { port: gateway.port })
  const refused = await stranger.postCrossSite('/auth/jwt/callback', (await idp.jwt('eve@example.com')).fields)
  await writeFile(
    join(shell.folder, 'audit.log'),
    (await gateway.audit()).map(line => `${JSON.stringify(line)}\n`).join(''),
  )

  t.test('to look', async t => {
    const [look, explained, audited] = await Promise.all([
      shell.run(block('/ready').replace(':9090', `:${opsPort}`)),
      shell.run(block('explain REFERENCE').replace('REFERENCE', refused.reference ?? '')),
      shell.run(block('audit.log')),
    ])
    t.match(look, {
      code: 0,
      stdout:
        /"ready":true[\s\S]*ok +desk\.url[\s\S]*everything that the gateway itself calls answers[\s\S]*4 live sessions/,
    })
    t.match(explained, { code: 0, stdout: /FAIL +agent is known[\s\S]*agent\.unknown/ })
    t.match(audited, { code: 0, stdout: /"event":"login"/ })
    t.notMatch(audited.stdout, 'ben@example.com')
  })

  t.test('somebody must get in', async t => {
    const { code, stdout } = await shell.run(block('deskgate breakglass'))
    t.equal(code, 0)
    const agent = createUserAgent(publicUrl, { port: gateway.port })
    await agent.send(stdout.trim().replace(publicUrl, ''))
    t.ok(await inside(agent), 'the link opens a session')
  })

  t.test('somebody left: the sessions of that agent end, and no other', async t => {
    t.ok(await inside(ana))
    t.match(await shell.run(block('sessions revoke --agent')), { code: 0, stdout: 'ended 2 sessions\n' })
    t.notOk(await inside(ana))
    t.ok(await inside(first))
  })

  t.test('a provider’s secret leaked: its sessions end, and no other', async t => {
    t.match(await shell.run(block('xargs')), { code: 0, stdout: 'ended 1 session\nended 1 session\n' })
    t.notOk((await inside(first)) || (await inside(second)))
    t.ok(await inside(other), 'by another provider')
  })

  t.test('a provider’s own key leaked: by a rule nobody comes in, and its sessions end', async t => {
    const [, rule = ''] = /`allow: (\{ domains: \[nobody\.invalid\] \})` at this provider/.exec(page) ?? []
    const providers = [{ ...idp.settings.corp, allow: parse(rule) }, idp.settings.portal]
    t.match(await gateway.reload({ ...base, providers }), { changed: [/^providers\[0\]/] })
    await until(async () => !(await inside(other)))
    const again = (way: Way) =>
      logIn(createUserAgent(publicUrl, { port: gateway.port }), idp, { way, email: 'ben@example.com' })
    t.match(await again('corp'), { status: 403, reason: 'agent.forbidden' })
    t.match(await again('portal'), { status: 303 }, 'another provider goes on')
  })

  t.test('no command of the page is overlooked', async t => everyBlockRan(t))
})
