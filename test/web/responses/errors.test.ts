import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import t from 'tap'
import type { GatewayErrorCode, RequestContext, ResponseData } from '../../../src/web/context.js'
import { clientKindOf, isPageNavigation, isSpeculative } from '../../../src/web/request/fetch-metadata.js'
import { createErrorResponses } from '../../../src/web/responses/errors.js'
import { startLoginServer } from '../../parts/login-server.js'

const answers = createErrorResponses()
const gate = await startLoginServer()
t.teardown(gate.close)

const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
const frame = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }
const program = { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: 'text/html' }

function ask(trouble: GatewayErrorCode, headers: IncomingHttpHeaders, raw = '/tickets/7?a=b', method = 'GET') {
  const target = { raw, path: raw.split('?')[0] ?? '', query: '', ambiguous: false }
  const visit = {
    id: '1',
    address: '127.0.0.1',
    target,
    snapshot: gate.snapshot,
    session: undefined,
    outcome: 'own',
  }
  const answer = answers(trouble, { headers, method } as IncomingMessage, visit as RequestContext)
  return { ...answer, header: headerOf(answer) }
}

function headerOf(answer: ResponseData) {
  return (name: string) => {
    const found: string[] = []
    for (let i = 0; i < answer.headers.length; i += 2) {
      if (answer.headers[i]?.toLowerCase() === name.toLowerCase()) found.push(answer.headers[i + 1] ?? '')
    }
    return found.length > 1 ? found : found[0]
  }
}

t.test('who asks: Fetch Metadata first, else Accept', async t => {
  const cases: [IncomingHttpHeaders, string][] = [
    [page, 'document'],
    [{ 'sec-fetch-mode': 'navigate' }, 'document'],
    [frame, 'frame'],
    [{ ...page, 'sec-fetch-dest': 'object' }, 'frame'],
    [{ ...page, 'sec-fetch-dest': 'embed' }, 'frame'],
    [{ ...page, 'sec-fetch-dest': 'fencedframe' }, 'frame'],
    [{ ...page, 'sec-fetch-dest': 'image' }, 'program'],
    [program, 'program'],
    [{ 'sec-fetch-mode': 'same-origin', accept: 'text/html' }, 'program'],
    [{ 'sec-fetch-mode': 'websocket' }, 'program'],
    [{ accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }, 'document'],
    [{ accept: 'TEXT/HTML' }, 'document'],
    [{ accept: '*/*' }, 'program'],
    [{ accept: 'application/json' }, 'program'],
    [{ accept: 'application/vnd.paos+xml', paos: 'ver="urn:liberty:paos:2003-08"' }, 'program'],
    [{}, 'program'],
    [{ ...page, upgrade: 'websocket' }, 'program'],
  ]
  for (const [headers, asker] of cases) t.equal(clientKindOf(headers), asker, JSON.stringify(headers))
})

t.test('a visit is a GET of a page that nobody loads ahead of time', async t => {
  t.ok(isPageNavigation({ method: 'GET', headers: page }))
  t.notOk(isPageNavigation({ method: 'HEAD', headers: page }))
  t.notOk(isPageNavigation({ method: 'POST', headers: page }))
  t.notOk(isPageNavigation({ method: 'GET', headers: frame }))
  for (const early of [
    { 'sec-purpose': 'prefetch;anonymous-client-ip' },
    { purpose: 'prefetch' },
    { 'x-moz': 'prefetch' },
  ]) {
    t.ok(isSpeculative(early))
    t.notOk(isPageNavigation({ method: 'GET', headers: { ...page, ...early } }))
  }
})

t.test('without a session: a page goes to the login, and comes back to the address it asked for', async t => {
  for (const method of ['GET', 'HEAD']) {
    const answer = ask('challenge', page, '/tickets/7?a=b&c=%2F', method)
    t.equal(answer.status, 302)
    t.equal(answer.header('location'), '/auth/login?return_to=%2Ftickets%2F7%3Fa%3Db%26c%3D%252F')
    t.equal(answer.header('cache-control'), 'no-store')
    t.equal(answer.header('set-cookie'), undefined)
    t.equal(answer.header('content-type'), undefined)
  }
  t.equal(ask('challenge', page, '/').header('location'), '/auth/login?return_to=%2F')
  t.equal(ask('challenge', page, `/a?${'q'.repeat(4000)}`).header('location'), '/auth/login?return_to=%2Fa')
})

t.test('without a session: what was posted says that it was not sent', async t => {
  for (const method of ['POST', 'PUT', 'DELETE']) {
    const answer = ask('challenge', page, '/tickets', method)
    t.equal(answer.status, 401)
    t.match(answer.header('content-type'), 'text/html')
    t.equal(answer.header('www-authenticate'), 'Deskgate')
    t.match(answer.body, 'was not sent')
    t.match(answer.body, 'href="/auth/login" target="_blank" rel="noopener"')
  }
})

t.test('without a session: a frame shows a link to the top, and may be shown in Desk', async t => {
  const answer = ask('challenge', { ...frame, referer: 'https://desk.example.com/tickets/9' })
  t.equal(answer.status, 401)
  t.match(answer.body, 'href="/auth/login?return_to&#61;%2Ftickets%2F9" target="_top"')
  t.match(answer.header('content-security-policy'), /; frame-ancestors 'self'; /)
  const strange = ask('challenge', { ...frame, referer: 'https://evil.example/tickets/9' })
  t.match(strange.body, 'href="/auth/login" target="_top"')
  t.equal(ask('challenge', frame, '/x', 'POST').status, 401)
})

t.test('without a session: a program gets 401 problem+json and is never redirected', async t => {
  for (const headers of [program, { accept: 'application/json' }, {}, { upgrade: 'websocket', ...page }]) {
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS']) {
      const answer = ask('challenge', headers, '/api', method)
      t.equal(answer.status, 401)
      t.equal(answer.header('www-authenticate'), 'Deskgate')
      t.equal(answer.header('content-type'), 'application/problem+json')
      t.match(JSON.parse(answer.body), { status: 401, loginUrl: 'https://desk.example.com/auth/login' })
      t.equal(answer.header('location'), undefined)
    }
  }
})

t.test('every other error has its status, as a page and as problem+json', async t => {
  const statuses: [GatewayErrorCode, number][] = [
    ['bad_request', 400],
    ['not_found', 404],
    ['wrong_origin', 403],
    ['too_many_headers', 431],
    ['too_slow', 408],
    ['store_unavailable', 503],
    ['desk_unreachable', 502],
    ['desk_timeout', 504],
    ['internal', 500],
  ]
  for (const [trouble, status] of statuses) {
    const html = ask(trouble, page, '/"><script>alert(1)</script>')
    t.equal(html.status, status)
    t.match(html.header('content-type'), 'text/html')
    t.notMatch(html.body, 'alert(1)')
    const json = ask(trouble, program)
    t.equal(json.status, status)
    t.match(JSON.parse(json.body), { type: 'about:blank', status, title: String, detail: String })
    t.equal(json.header('retry-after') !== undefined, trouble === 'store_unavailable')
    for (const name of ['cache-control', 'content-security-policy', 'content-type', 'referrer-policy']) {
      t.equal(typeof html.header(name), 'string', `one ${name}`)
    }
  }
})
