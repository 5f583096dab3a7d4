// The dashboard over a run: a real Prometheus scrapes a gateway that has seen logins, refusals and requests, and every
// query of every panel has data.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../src/runtime/clock.js'
import { longSecret } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { startGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { freePort } from '../parts/ports.js'
import { type Prometheus, startPrometheus } from '../parts/prometheus.js'
import { missingParts } from '../parts/required-parts.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const dashboard = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../helm/deskgate/dashboards/deskgate.json'), 'utf8'),
)

interface Panel {
  id: number
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  targets: { expr: string }[]
}
const panels: Panel[] = dashboard.panels

/** What Grafana puts in the place of its variables. */
const filled = (expr: string) =>
  expr.replaceAll('$__rate_interval', '1m').replaceAll('$namespace', '.*').replaceAll('$job', '.*')

t.test('every panel has its own place, and asks the chosen Prometheus for the chosen release', async t => {
  t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  const places = panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)
  t.equal(new Set(places).size, places.length)
  for (const { title, gridPos, targets } of panels) {
    t.ok(gridPos.x + gridPos.w <= 24, title)
    for (const { expr } of targets) t.match(expr, 'namespace=~"$namespace",job=~"$job"')
  }
})

t.test('every query has data', { skip: missingParts('prometheus') }, async t => {
  const idp = createIdentityProvider({ publicUrl, clock: systemClock })
  const desk = await startDesk()
  const probes = await freePort()
  const gateway = await startGateway(
    {
      ...{ publicUrl, listen: '127.0.0.1:0', desk: { url: desk.url } },
      providers: [idp.settings.corp, { ...idp.settings.portal, bearer: true, bearerAudience: 'desk-api' }],
      agents: [{ file: 'agents.yaml' }],
      ops: { listen: '127.0.0.1:0', probes: `127.0.0.1:${probes}`, adminToken: { file: 'token' } },
    },
    {
      files: { 'idp.crt': idp.certificate, 'agents.yaml': '- { email: ada@example.com }', token: longSecret('token') },
    },
  )
  t.teardown(async () => {
    await gateway.stop()
    await desk.close()
  })
  const labels = { namespace: 'help', job: 'desk-deskgate-probes', pod: 'a' }
  const prometheus = await startPrometheus([`127.0.0.1:${probes}`], labels)
  t.teardown(prometheus.stop)

  const work = async () => {
    const ada = createUserAgent(publicUrl, { port: gateway.port })
    for (const way of ['corp', 'portal'] as const) await logIn(ada, idp, { way, email: 'ada@example.com' })
    await ada.visit('/')
    const eve = createUserAgent(publicUrl, { port: gateway.port })
    await logIn(eve, idp, { way: 'portal', email: 'eve@example.com' })
    await eve.fetch('/api', { headers: { authorization: 'Bearer eyJhbGciOiJIUzI1NiJ9.e30.x' } })
  }
  await work()
  const lacking = new Set(panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)))
  t.ok(lacking.size > 20)
  // A rate needs two scrapes, and what happened between them.
  await until(async () => {
    await work()
    for (const expr of lacking) if (await hasData(prometheus, filled(expr))) lacking.delete(expr)
    return lacking.size === 0
  }, 60_000).catch(() => t.same([...lacking], [], 'queries without data'))
  const scope = 'namespace="help",job="desk-deskgate-probes"'
  t.match(await prometheus.query(`deskgate_store_up{${scope}}`), [{ value: [Number, '1'] }], 'as the alerts ask for it')
})

async function hasData(prometheus: Prometheus, expr: string): Promise<boolean> {
  const result = await prometheus.query(expr)
  return result.some(({ value: [, number] }) => number !== 'NaN')
}
