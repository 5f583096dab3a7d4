// The OpenAPI document of the ops API, against the running gateway: each status that it documents is provoked, and each
// answer is of the documented type and schema. A new route fails here until it is asked for too.

import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import fastify from 'fastify'
import t, { type Test } from 'tap'
import { StoreUnavailable } from '../../src/core/errors.js'
import type { Store } from '../../src/core/store.js'
import { collectOperations } from '../../src/ops/api/openapi.js'
import { systemClock } from '../../src/runtime/clock.js'
import { longSecret } from '../parts/configuration.js'
import { startDesk } from '../parts/desk.js'
import { type InProcessGateway, startInProcessGateway } from '../parts/gateway.js'
import { createIdentityProvider, logIn } from '../parts/identity-provider.js'
import { createUserAgent } from '../parts/user-agent.js'
import { until } from '../parts/wait-until.js'

const publicUrl = 'https://desk.example.com'
const token = longSecret('token')
const idp = createIdentityProvider({ publicUrl, clock: systemClock })

interface Media {
  schema: object
}
type Document = {
  paths: Record<string, Record<string, { responses: Record<string, { content: Record<string, Media> }> }>>
}

/** Every status that is documented, such as `get /api/sessions 200`. `default` is for what is not. */
function documented({ paths }: Document): string[] {
  const answers = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.keys(responses).map(status => `${method} ${path} ${status}`),
    ),
  )
  return answers.filter(answer => !answer.endsWith('default'))
}

/** A store that can be switched off. */
function switchable() {
  const state = { down: true }
  const wrap = (store: Store): Store =>
    new Proxy(store, {
      get(target, name, receiver) {
        const member: unknown = Reflect.get(target, name, receiver)
        if (typeof member !== 'function' || name === 'subscribe' || name === 'close') return member
        return (...args: unknown[]) =>
          state.down ? Promise.reject(new StoreUnavailable('off')) : Reflect.apply(member, target, args)
      },
    })
  return { state, wrap }
}

/** Asks, and checks each answer against the document. `seen`: which of its statuses have come. */
function createClient(t: Test, gateway: InProcessGateway, document: Document) {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')
  const seen = new Set<string>()
  const validators = new Map<string, ValidateFunction>()
  const validatorAt = (...steps: string[]) => {
    const pointer = steps.map(step => encodeURIComponent(step.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = validators.get(pointer) ?? ajv.compile({ $ref: `document#/${pointer}` })
    validators.set(pointer, validate)
    return validate
  }
  const ask = async (
    what: string,
    status: number,
    { at, bearer = token, body }: { at?: string; bearer?: string | null; body?: unknown } = {},
  ) => {
    const [method = '', path = ''] = what.split(' ')
    const response = await fetch(gateway.opsUrl + (at ?? path), {
      method,
      headers: {
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    t.equal(response.status, status, `${what} ${status}`)
    const responses = document.paths[path]?.[method.toLowerCase()]?.responses ?? {}
    const key = responses[status] ? `${status}` : 'default'
    seen.add(`${method.toLowerCase()} ${path} ${key}`)
    const type = response.headers.get('content-type')?.split(';')[0] ?? ''
    t.ok(responses[key]?.content[type], `${what} ${key} is documented as ${type}`)
    const validate = validatorAt('paths', path, method.toLowerCase(), 'responses', key, 'content', type, 'schema')
    const values: unknown[] = type.endsWith('json') && !type.endsWith('ndjson') ? [JSON.parse(text)] : [text]
    if (type.endsWith('ndjson'))
      values.splice(
        0,
        1,
        ...text
          .trimEnd()
          .split('\n')
          .map(line => JSON.parse(line)),
      )
    for (const value of values) t.ok(validate(value), `${what} ${status} ${ajv.errorsText(validate.errors)} ${text}`)
    return values[0] as Record<string, unknown>
  }
  return { ask, seen }
}

t.test('a route that is not documented is not registered', async t => {
  const app = fastify()
  collectOperations(app)
  t.throws(() => app.post('/api/new', async () => 1), /POST \/api\/new is not documented/)
  await app.close()
})

t.test('the document is valid, and every status that it documents is given, in its form', async t => {
  const desk = await startDesk()
  const store = switchable()
  const settings = (changes: object = {}) => ({
    publicUrl,
    mode: 'observe',
    desk: { url: desk.url },
    providers: [idp.settings.corp, idp.settings.portal],
    agents: [{ file: 'agents.yaml' }],
    access: { paths: [{ match: '/admin/*', roles: ['admin'] }] },
    ops: { adminToken: token },
    ...changes,
  })
  const files = {
    'idp.crt': idp.certificate,
    'agents.yaml': '- { email: ada@example.com }\n- { email: bob@example.com, active: false }\n',
  }
  const gateway = await startInProcessGateway(settings(), { files, wrapStore: store.wrap })
  t.teardown(async () => {
    await gateway.close()
    await desk.close()
  })
  const bearer = { authorization: `Bearer ${token}` }
  const document = (await (await fetch(`${gateway.opsUrl}/api/openapi.json`, { headers: bearer })).json()) as Document
  t.match(await new Validator().validate(document), { valid: true })
  const { ask, seen } = createClient(t, gateway, document)
  const secured = documented(document).filter(answer => answer.endsWith(' 401'))
  const everyRoute = secured
    .map(answer => answer.split(' '))
    .map(([method = '', path]) => `${method.toUpperCase()} ${path}`)
  t.equal(everyRoute.length, Object.keys(document.paths).filter(path => path.startsWith('/api/')).length + 1)

  await ask('GET /ready', 503)
  const order = { agent: 'ada@example.com', minutes: 5, reason: 'a test' }
  const needStore = {
    'GET /api/sessions': {},
    'DELETE /api/sessions': { at: '/api/sessions?all=true' },
    'DELETE /api/sessions/{handle}': { at: `/api/sessions/${'h'.repeat(43)}` },
    'GET /api/access': { at: '/api/access?agent=ada%40example.com' },
    'GET /api/logins/{reference}': { at: '/api/logins/22222-22222' },
    'POST /api/breakglass': { body: order },
    'POST /api/rehearsal': {},
    'DELETE /api/rehearsal/{id}': { at: '/api/rehearsal/x' },
  }
  for (const [what, request] of Object.entries(needStore)) await ask(what, 503, request)

  store.state.down = false
  const browser = createUserAgent(publicUrl, gateway)
  t.equal((await logIn(browser, idp, { way: 'portal', email: 'ada@example.com' })).status, 303)
  t.equal(
    (await logIn(createUserAgent(publicUrl, gateway), idp, { way: 'portal', email: 'bob@example.com' })).status,
    403,
  )
  await createUserAgent(publicUrl, gateway).visit('/tickets/7')
  await browser.visit('/admin/x')
  await ask('GET /live', 200)
  await until(async () => (await fetch(`${gateway.opsUrl}/ready`)).status === 200)
  await ask('GET /ready', 200)
  await ask('GET /metrics', 200)
  await ask('GET /api/openapi.json', 200)
  const { sessions } = await ask('GET /api/sessions', 200)
  const [{ handle }] = sessions as [{ handle: string }]
  await ask('GET /api/sessions', 400, { at: '/api/sessions?agent=x' })
  await ask('GET /api/access', 200, { at: '/api/access?agent=ada%40example.com&request=GET%20%2Fadmin%2Fx' })
  await ask('GET /api/access', 200)
  await ask('GET /api/access', 400, { at: '/api/access?agent=x' })
  t.ok((await ask('GET /api/observed', 200)).groups)
  const reference = (await gateway.audit()).find(({ event }) => event === 'login_refused')?.reference
  await ask('GET /api/logins/{reference}', 200, { at: `/api/logins/${reference}` })
  await ask('GET /api/logins/{reference}', 404, { at: '/api/logins/22222-22222' })
  await ask('POST /api/breakglass', 200, { body: order })
  await ask('POST /api/breakglass', 400, { body: { ...order, minutes: 0 } })
  await ask('POST /api/breakglass', 422, { body: { ...order, agent: 'nobody@example.com' } })
  const { id } = await ask('POST /api/rehearsal', 201)
  await ask('POST /api/rehearsal', 409)
  await ask('DELETE /api/rehearsal/{id}', 200, { at: `/api/rehearsal/${id}` })
  await ask('DELETE /api/rehearsal/{id}', 404, { at: `/api/rehearsal/${id}` })
  await ask('DELETE /api/sessions/{handle}', 200, { at: `/api/sessions/${handle}` })
  await ask('DELETE /api/sessions/{handle}', 400, { at: '/api/sessions/x' })
  await ask('DELETE /api/sessions', 200, { at: '/api/sessions?all=true' })
  await ask('DELETE /api/sessions', 400)
  await ask('POST /api/breakglass', 413, { body: 'x'.repeat(20_000) })
  await ask('POST /api/reload', 200)
  await gateway.reload(settings({ agents: [] }))
  await ask('POST /api/reload', 422)

  for (const what of everyRoute) await ask(what, 401, { bearer: null })
  await gateway.reload(settings({ limits: { logins: '2/m' } }))
  for (let tries = 0; tries < 3; tries++)
    await fetch(`${gateway.opsUrl}/api/sessions`, { headers: { authorization: 'Bearer x' } })
  for (const what of everyRoute) await ask(what, 429)
  await gateway.reload(settings({ ops: { adminToken: undefined } }))
  for (const what of everyRoute) await ask(what, 404)
  t.same(
    documented(document).filter(answer => !seen.has(answer)),
    [],
    'documented and never asked for: add it here',
  )
})
