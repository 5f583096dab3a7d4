// What `helm test` says of pods that are not as they should be: each is asked, and the one that fails is named.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startProgram } from '../parts/child-process.js'
import { chart } from '../parts/helm.js'
import { startHttpServer } from '../parts/http-server.js'

const script = readFileSync(join(chart, 'tests/challenge.mjs'), 'utf8')
const serving = { ready: true, state: 'serving', config: 'current' }
const challenge = { status: 401, headers: { 'www-authenticate': 'Deskgate realm="desk"' } }
const toLogin = { status: 302, headers: { location: '/auth/login?return_to=%2F' } }

/** Runs the script against a pod that says this of itself, before a gateway that stops people and programs so. */
async function tested(t: Test, facts: object, { status = 200, program = challenge, person = toLogin } = {}) {
  const probes = await startHttpServer((_request, answer) => answer.writeHead(status).end(JSON.stringify(facts)))
  const gateway = await startHttpServer(({ headers }, answer) => {
    const said = headers.accept === 'text/html' ? person : program
    answer.writeHead(said.status, said.headers).end()
  })
  t.teardown(() => Promise.all([probes.close(), gateway.close()]))
  const env = { PATH: process.env.PATH, GATEWAY: gateway.url, PROBES: probes.url, LOGIN: '/auth/login' }
  const run = startProgram(['node', '--input-type=module', '-e', script], { env })
  return { code: await run.exitCode, said: run.output(), asked: gateway.seen }
}

t.test('a pod that serves with its configuration passes', async t => {
  const { code, said, asked } = await tested(t, serving)
  t.equal(code, 0, said)
  t.match(said, /is ready: 200[\s\S]*has the configuration: current/)
  t.notOk(asked.includes('/'), "Desk's front page may be open to all")
})

t.test('a pod that refused its configuration fails it, with the reason', async t => {
  const refused = { ...serving, config: 'rejected', problems: ['deskgate.yaml:3:1 drain: cannot change'] }
  const { code, said } = await tested(t, refused)
  t.equal(code, 1)
  t.match(said, /failed: 127\.0\.0\.1:\d+ has the configuration: rejected \(deskgate\.yaml:3:1 drain: cannot change\)/)
})

t.test('a pod that is not ready fails it, one on its way out does not', async t => {
  const starting = await tested(t, { ...serving, state: 'starting' }, { status: 503 })
  t.match(starting, { code: 1, said: 'is ready: 503' })
  t.match(await tested(t, { ...serving, state: 'draining' }, { status: 503 }), { code: 0 })
})

t.test('without DNS it finds the Services by their variables, and asks any pod', async t => {
  const probes = await startHttpServer((_request, answer) => answer.end(JSON.stringify(serving)))
  t.teardown(probes.close)
  const gateway = await startHttpServer(({ headers }, answer) => {
    const said = headers.accept === 'text/html' ? toLogin : challenge
    answer.writeHead(said.status, said.headers).end()
  })
  t.teardown(gateway.close)
  const at = (name: string, { url }: { url: string }) => url.replace('127.0.0.1', `${name}.invalid`)
  const env = {
    ...{ PATH: process.env.PATH, LOGIN: '/auth/login', PROBES: 'http://desk-probes.invalid:9091' },
    ...{ GATEWAY: at('desk', gateway), ANY_POD: at('desk-test', probes) },
  }
  const run = async (more: object) => {
    const started = startProgram(['node', '--input-type=module', '-e', script], { env: { ...env, ...more } })
    return { code: await started.exitCode, said: started.output() }
  }
  const variables = { 'DESK.INVALID_SERVICE_HOST': '127.0.0.1', 'DESK_TEST.INVALID_SERVICE_HOST': '127.0.0.1' }
  t.match(await run(variables), { code: 0, said: /no DNS[\s\S]*is ready: 200[\s\S]*challenge: Deskgate/ })
  t.equal(probes.seen.length, 20)
  t.match(await run({}), { code: 1, said: 'unknown host' })
})

t.test('a gateway that lets everybody through fails it', async t => {
  const open = { status: 200, headers: {} } as unknown as typeof challenge
  t.match(await tested(t, serving, { program: open }), { code: 1, said: 'a program without a session: 200' })
  const elsewhere = { status: 302, headers: { location: 'https://elsewhere.example.com/' } }
  t.match(await tested(t, serving, { person: elsewhere }), { code: 1, said: 'is sent to: https://elsewhere' })
})
