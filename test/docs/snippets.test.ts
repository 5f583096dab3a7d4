// What is not a command in the guides is right too: settings load, PHP, JSON, HTML and PromQL are read by what reads them, and
// a Redis user with the rights of the page is enough for a gateway.

import { execFileSync } from 'node:child_process'
import t from 'tap'
import { parse } from 'yaml'
import { blocksOf, guidePages } from '../../scripts/guides.js'
import { systemClock } from '../../src/runtime/clock.js'
import { load, longSecret, rsaPair, settings } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { formIn } from '../parts/forms.js'
import { startInProcessGateway } from '../parts/gateway.js'
import { openGuide } from '../parts/guide.js'
import { parseObjects } from '../parts/helm.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { schemaProblem, typeProblems } from '../parts/kubernetes.js'
import { promtool } from '../parts/prometheus.js'
import { startRedis } from '../parts/redis.js'
import { missingParts, programPath } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'

const publicUrl = 'https://desk.example.com'
const pages = guidePages().filter(page => page.startsWith('docs/'))
const every = (language: string) => pages.flatMap(page => openGuide(page).all(language))

for (const page of [
  'docs/api-clients.md',
  'docs/assertion.md',
  'docs/jwt.md',
  'docs/kept-replies.md',
  'docs/pages.md',
  'docs/redis.md',
  'docs/session-desk.md',
  'docs/sessions.md',
  'docs/ways-in.md',
]) {
  t.test(`the settings of ${page}`, async t => {
    const { certificate } = rsaPair()
    const files = { 'redis-ca.pem': certificate, 'agents.yaml': '- { email: ana@example.com, roles: [supervisor] }' }
    const env = { PORTAL_SECRET: longSecret('portal'), REDIS_PASSWORD: 'a', SENTINEL_PASSWORD: 'b' }
    const blocks = openGuide(page).all('yaml')
    t.ok(blocks.length > 0)
    for (const block of blocks) {
      const written = { secrets: [longSecret('ring')], ...parse(block) }
      const result = load(settings(written), { files, env })
      t.ok('config' in result, JSON.stringify('config' in result ? '' : result.problems))
      t.strictSame(
        result.warnings.filter(({ key }) => !key.startsWith('secrets')),
        [],
      )
    }
  })
}

t.test('JSON', async t => {
  const blocks = every('json')
  t.ok(blocks.length >= 2)
  for (const block of blocks) for (const line of block.trim().split('\n')) t.type(JSON.parse(line), 'object')
})

t.test('PHP', { skip: missingParts('php') }, async t => {
  const blocks = every('php')
  t.ok(blocks.length >= 3)
  for (const block of blocks) {
    const said = execFileSync(programPath('php'), ['-l'], { input: `<?php return [\n${block}];\n`, encoding: 'utf8' })
    t.match(said, 'No syntax errors', block)
  }
})

t.test('PromQL', { skip: missingParts('promtool') }, async t => {
  const blocks = every('promql')
  t.ok(blocks.length > 0)
  const rules = blocks.map((expr, at) => ({ alert: `Guide${at}`, expr }))
  const files = { 'rules.yaml': { groups: [{ name: 'guides', rules }] } }
  t.match(await promtool(['check', 'rules', 'rules.yaml'], files), { code: 0 })
})

t.test('the form of a JWT provider logs in', async t => {
  const desk = await startDesk()
  t.teardown(desk.close)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const base = { publicUrl, desk: { url: desk.url }, providers: [idp.settings.portal], agents: [{ any: true }] }
  const gateway = await startInProcessGateway(base)
  t.teardown(gateway.close)
  const [html = ''] = every('html')
  const { action, fields } = formIn(html)
  t.strictSame(Object.keys(fields).sort(), ['jwt', 'return_to', 'state'])
  const agent = createUserAgent(publicUrl, gateway)
  const { location } = await agent.visit('/auth/login/portal?return_to=/tickets')
  const answer = await idp.jwt('ana@example.com', location)
  const asWritten = Object.fromEntries(Object.keys(fields).map(name => [name, answer.fields[name] ?? '']))
  const page = await agent.postCrossSite(action.replace(publicUrl, ''), asWritten)
  t.match(page, { status: 303, location: '/tickets' })
})

t.test('the Redis user of the page is enough', { skip: missingParts('redis-server') }, async t => {
  const redis = await startRedis()
  t.teardown(redis.stop)
  const desk = await startDesk()
  t.teardown(desk.close)
  const [block = ''] = openGuide('docs/redis.md').all('redis')
  const words = block.trim().replace('PASSWORD', 'secret').split(/\s+/)
  await redis.command(...words)
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const gateway = await startInProcessGateway({
    publicUrl,
    secrets: [longSecret('ring')],
    desk: { url: desk.url },
    providers: [idp.settings.portal],
    agents: [{ any: true }],
    sessions: { store: `redis://deskgate:secret@127.0.0.1:${redis.port}/0` },
  })
  t.teardown(gateway.close)
  const agent = createUserAgent(publicUrl, gateway)
  t.equal((await logIn(agent, idp, { way: 'portal', email: 'ana@example.com' })).status, 303)
  t.equal((await agent.visit('/tickets')).status, 200)
  const refused = await agent.postCrossSite('/auth/jwt/callback', { jwt: 'x' })
  t.equal(refused.status, 400)
  t.ok((await agent.send('/auth/logout')).status < 400)
  t.equal((await agent.fetch('/tickets')).status, 401)
  t.notOk(
    gateway.lines.some(line => /NOPERM/.test(JSON.stringify(line))),
    'nothing was asked that it may not',
  )
})

t.test('the objects of Kubernetes are valid', async t => {
  const written = pages.flatMap(blocksOf).filter(({ text }) => /^kind: /m.test(text))
  const all = written.flatMap(({ text }) => parseObjects(text))
  t.strictSame(all.map(object => object.kind).sort(), ['ConfigMap', 'NetworkPolicy'])
  for (const object of all) t.equal(schemaProblem(object), undefined)
  t.strictSame(await typeProblems(all), [])
})
