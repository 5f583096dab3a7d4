// The commands of the guides for those who run it and who build on it, as they are written there, against a running gateway:
// operations.md, sessions.md, ways-in.md, api-clients.md and assertion.md.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { longSecret } from '../parts/configuration.js'
import { type Desk, startDesk } from '../parts/desk.js'
import { type RunningGateway, startGateway } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'
import { openShell, type Shell } from '../parts/guide-shell.js'
import { createIdentityProvider, logIn, portalSecret } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { forged, hmac } from '../parts/tokens.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const ana = 'ana@example.com'
const idp = createIdentityProvider({ publicUrl, clock: systemClock })
const agents = `- { email: ${ana} }\n`

interface Place {
  desk: Desk
  gateway: RunningGateway
  /** Runs a block in the gateway's folder, with these variables, and its ops address in the place of the default. */
  run(block: string, env?: Record<string, string>): ReturnType<Shell['run']>
  enter(email?: string): Promise<ReturnType<typeof createUserAgent>>
}

async function startPlace(t: Test): Promise<Place> {
  const desk = await startDesk()
  t.teardown(desk.close)
  const ops = `127.0.0.1:${await freePort()}`
  const settings = {
    publicUrl,
    listen: '127.0.0.1:0',
    desk: { url: desk.url },
    providers: [{ ...idp.settings.portal, bearer: true, bearerAudience: 'desk-api' }],
    agents: [{ file: 'agents.yaml' }],
    ops: { listen: ops, adminToken: { file: 'token' } },
  }
  const gateway = await startGateway(settings, { files: { 'agents.yaml': agents, token: longSecret('token') } })
  t.teardown(gateway.stop)
  const shell = await openShell(t, {})
  return {
    desk,
    gateway,
    run: (block, env = {}) => {
      const variables = Object.entries(env).map(([name, value]) => `export ${name}='${value}'`)
      const here = block.replaceAll('127.0.0.1:9090', ops)
      return shell.run([`cd '${gateway.folder}'`, ...variables, here].join('\n'))
    },
    async enter(email = ana) {
      const agent = createUserAgent(publicUrl, gateway)
      const { status } = await logIn(agent, idp, { way: 'portal', email })
      if (status !== 303) throw new Error(`${email} does not get in: ${status}`)
      return agent
    },
  }
}

/** What a transcript says: each command with what it printed then. */
function transcript(block: string): { command: string; printed: string[] }[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map(part => {
      const [command = '', ...printed] = part.trimEnd().split('\n')
      return { command, printed }
    })
}

t.test('the commands of the guides, against a running gateway', async t => {
  const { desk, gateway, run, enter } = await startPlace(t)

  await t.test('operations.md: a reload', async t => {
    const guide = openGuide('docs/operations.md')
    await t.rejects(enter('ben@example.com'))
    await writeFile(join(gateway.folder, 'agents.yaml'), `${agents}- { email: ben@example.com }\n`)
    const { code, stdout } = await run(guide.commandBlock('/api/reload'))
    t.equal(code, 0)
    t.match(JSON.parse(stdout), { changed: Array, warnings: [] })
    await t.resolves(enter('ben@example.com'))
    guide.everyBlockRan(t)
  })

  await t.test('sessions.md: who is in, and an end', async t => {
    const guide = openGuide('docs/sessions.md')
    const agent = await enter()
    const [list, revoke] = transcript(guide.commandBlock('sessions list'))
    const listed = await run(list?.command ?? '')
    t.equal(listed.code, 0)
    const [head = '', row = '', count] = listed.stdout.split('\n')
    t.strictSame(head.trim().split(/ {2,}/), list?.printed[0]?.trim().split(/ {2,}/), 'the columns of the page')
    t.match(row, ana)
    t.equal(count, list?.printed.at(-1))
    t.match(await run(revoke?.command ?? ''), { code: 0, stdout: `${revoke?.printed.join('\n')}\n` })
    t.equal((await agent.fetch('/tickets')).status, 401)

    const again = await enter()
    const [end] = transcript(guide.commandBlock('curl -X DELETE'))
    const ended = await run(end?.command ?? '', { TOKEN: longSecret('token') })
    t.strictSame(JSON.parse(ended.stdout), JSON.parse(end?.printed.join('') ?? ''))
    t.equal((await again.fetch('/tickets')).status, 401)
    guide.everyBlockRan(t)
  })

  await t.test('ways-in.md: a one-time link', async t => {
    const guide = openGuide('docs/ways-in.md')
    const [link] = transcript(guide.commandBlock('deskgate breakglass'))
    const { code, stdout, stderr } = await run(link?.command ?? '')
    t.equal(code, 0)
    const [said = '', address = ''] = link?.printed ?? []
    const withoutTime = (text: string) => text.trim().replace(/until \S+;/, 'until then;')
    t.equal(withoutTime(stderr), withoutTime(said))
    t.match(stdout, address.replace('…', ''))
    const agent = createUserAgent(publicUrl, gateway)
    await agent.send(stdout.trim().replace(publicUrl, ''))
    t.equal((await agent.fetch('/tickets')).status, 200)
    guide.everyBlockRan(t)
  })

  await t.test('api-clients.md: a call without a session', async t => {
    const guide = openGuide('docs/api-clients.md')
    const iat = Math.floor(systemClock.now() / 1000)
    const claims = { email: ana, iat, exp: iat + 600, aud: 'desk-api' }
    const TOKEN = forged({ alg: 'HS256' }, claims, hmac(portalSecret))
    const call = guide.commandBlock('Bearer $TOKEN').replace(publicUrl, gateway.url)
    t.match(await run(call, { TOKEN }), { code: 0, stdout: 'hello' })
    t.match(desk.last(), { url: '/api/v2/cases' })
    t.same(desk.last().all('x-agent-email'), [ana])
    guide.everyBlockRan(t)
  })

  await t.test('assertion.md: Desk verifies', async t => {
    const guide = openGuide('docs/assertion.md')
    await (await enter()).visit('/tickets')
    const [ASSERTION = ''] = desk.last().all('x-agent-assertion')
    const verify = guide
      .commandBlock('node verify.mjs')
      .replace('http://deskgate.internal:8080', gateway.url)
      .replace('http://desk.internal:3000', desk.url)
    const examples = join(import.meta.dirname, '../../examples/assertion')
    t.match(await run(`cd '${examples}'\n${verify}`, { ASSERTION }), { code: 0, stdout: `${ana}\n` })
    const changed = ASSERTION.replace(/\.(.)/, (_, letter) => `.${letter === 'e' ? 'f' : 'e'}`)
    t.match((await run(`cd '${examples}'\n${verify}`, { ASSERTION: changed })).stdout, /^refused/)
    guide.everyBlockRan(t)
  })
})
