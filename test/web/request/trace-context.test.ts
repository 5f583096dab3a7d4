// traceparent on its way to Desk, into the log and onto error pages: valid, or not at all.

import t from 'tap'
import { readTrace } from '../../../src/web/request/trace-context.js'
import { createErrorResponses } from '../../../src/web/responses/errors.js'
import { startDesk } from '../../parts/desk.js'
import { startProxy } from '../../parts/proxy-server.js'
import { rawRequest, sendRaw } from '../../parts/raw-http.js'

const id = '0af7651916cd43dd8448eb211c80319c'
const parent = 'b7ad6b7169203331'
const good = `00-${id}-${parent}-01`

t.test('what is a traceparent', async t => {
  const read = (...values: string[]) => readTrace(['Host', 'x', ...values.flatMap(value => ['TraceParent', value])])
  t.same(read(good), { id, parent, sampled: true })
  t.same(read(`00-${id}-${parent}-02`), { id, parent, sampled: false })
  for (const value of [`01-${id}-${parent}-00`, `cc-${id}-${parent}-01-more`]) t.equal(read(value)?.id, id, value)
  const bad = [
    '',
    `${good}-x`,
    `ff-${id}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    good.toUpperCase(),
    `00-${id}x-${parent}-01`,
    `00-${id}-${parent}-0g`,
    ` ${good}`,
    `${good}, ${good}`,
    `01-${id}-${parent}-01.x`,
    `01-${id}-${parent}-01-\u0001`,
  ]
  for (const value of bad) t.equal(read(value), undefined, value)
  t.equal(read(good, good), undefined)
  t.equal(read(), undefined)
})

t.test('to Desk and into the log', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url })
  t.teardown(async () => {
    await proxy.close()
    await desk.close()
  })
  const send = (path: string, ...headers: string[]) => sendRaw(proxy.port, rawRequest(`GET ${path} HTTP/1.1`, headers))
  const traceOf = (path: string) => proxy.lines.find(line => line.path === path)?.trace
  const { cookie } = await proxy.logIn()
  await send('/one', `Cookie: ${cookie}`, `traceparent: ${good}`, 'tracestate: a=1', 'TraceState: b=2')
  t.same(desk.last().all('traceparent'), [good])
  t.same(desk.last().all('tracestate'), ['a=1', 'b=2'])
  t.equal(traceOf('/one'), id)
  const invalid = [[`traceparent: ${good}x`], [`traceparent: ${good}`, `Traceparent: ${good}`], [], ['traceparent: "']]
  for (const bad of invalid) {
    await send('/open', ...bad, 'tracestate: a=1')
    t.same([...desk.last().all('traceparent'), ...desk.last().all('tracestate')], [])
    t.equal(traceOf('/open'), undefined)
  }
  await send('/stopped', `traceparent: ${good}`)
  t.equal(traceOf('/stopped'), id, 'also where nothing goes to Desk')
})

t.test('on error pages and in problem responses', async t => {
  const desk = await startDesk()
  const proxy = await startProxy({ deskUrl: desk.url, renderError: createErrorResponses() })
  t.teardown(proxy.close)
  await desk.close()
  const { cookie } = await proxy.logIn()
  const send = async (path: string, ...headers: string[]) => {
    const { status, body } = await sendRaw(proxy.port, rawRequest(`GET ${path} HTTP/1.1`, headers))
    return `${status} ${body}`
  }
  const page = [`Cookie: ${cookie}`, 'Accept: text/html', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document']
  const failed = await send('/page', ...page, `traceparent: ${good}`)
  t.match(failed, /^502/)
  t.match(failed, `Trace ID <small>${id}</small>`)
  t.notMatch(await send('/page', ...page, 'traceparent: x'), 'Trace ID')
  const program = await send('/api', 'Accept: application/json', `traceparent: ${good}`)
  t.match(program, /^401/)
  t.match(program, `"trace":"${id}"`)
  t.notMatch(await send('/api', 'Accept: application/json'), '"trace"')
})
