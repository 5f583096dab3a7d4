// The report of mode: observe: grouped by pattern, bounded, and without anything secret.

import t from 'tap'
import { createObservedRequests, mergeObserved, type ObservedRequest } from '../../src/ops/observed.js'
import { createTestClock } from '../parts/clock.js'

const request = (path: string, more: Partial<ObservedRequest> = {}): ObservedRequest => {
  return { method: 'GET', path, client: 'program', why: 'no_session', agent: undefined, address: '10.0.0.1', ...more }
}
const open = () => {
  const clock = createTestClock()
  return { clock, report: createObservedRequests({ clock, mode: 'observe' }) }
}
const patternOf = (path: string) => {
  const { report } = open()
  report.note(request(path))
  return report.facts().groups[0]?.path
}

t.test('a pattern keeps words and hides everything else', async t => {
  const kept = [
    '/',
    '/tickets',
    '/api/v2/tickets/list',
    '/Ticket/Display.html',
    '/userProfile/',
    '/a-b_c.json',
    '/.well-known/x',
  ]
  for (const path of kept) t.equal(patternOf(path), path)
  const hidden: [string, string][] = [
    ['/tickets/4711', '/tickets/*'],
    ['/api/v2/tickets/4711/notes', '/api/v2/tickets/*/notes'],
    ['/u/ada@example.com', '/u/*'],
    ['/reset/9f86d081884c7d659a2feaa0c55ad015', '/reset/*'],
    ['/reset/dQw4w9WgXcQ', '/reset/*'],
    ['/d/550e8400-e29b-41d4-a716-446655440000', '/d/*'],
    ['/x/eyJhbGciOiJIUzI1NiJ9.eyJ.c2ln', '/x/*'],
    ['/page;jsessionid=ABC', '/*'],
    ['/naïve/été', '/*/*'],
    ['/a/b/c/d/e/f/g/h', '/a/b/c/d/e/f/…'],
    ['/<script>/\u202e', '/*/*'],
    [`/${'a'.repeat(33)}`, '/*'],
  ]
  for (const [path, pattern] of hidden) t.equal(patternOf(path), pattern, path)
  const began = performance.now()
  for (const path of [`/${'a'.repeat(32)}!`, `/${'aB'.repeat(16)}!`, `/${'a.'.repeat(16)}!`, '/'.repeat(10_000)])
    patternOf(path)
  t.ok(performance.now() - began < 500, 'no path takes long')
})

t.test(
  'requests with the same pattern, client and reason are one group, with a few of those who sent them',
  async t => {
    const { clock, report } = open()
    for (let i = 0; i < 20; i++) {
      report.note(
        request(`/tickets/${i}`, {
          address: `10.0.0.${i}`,
          why: 'forbidden',
          detail: '/t*: roles',
          agent: `a${i}@x.example`,
        }),
      )
      clock.move(1000)
    }
    report.note(request('/tickets/1', { method: 'POST' }))
    const { requests, groups } = report.facts()
    t.equal(requests, 21)
    t.match(groups, [
      {
        requests: 20,
        path: '/tickets/*',
        detail: '/t*: roles',
        first: '2026-11-22T00:00:00.000Z',
        last: '2026-11-22T00:00:19.000Z',
      },
      { requests: 1, method: 'POST', agents: [] },
    ])
    t.equal(groups[0]?.agents.length, 5)
    t.equal(groups[0]?.addresses.length, 5)
  },
)

t.test('Attack: a scanner with ever new paths neither fills the memory nor pushes out what comes again', async t => {
  const { report } = open()
  for (let i = 0; i < 3; i++) report.note(request('/poll'))
  const letters = (n: number) => [...String(n)].map(digit => 'abcdefghij'[Number(digit)]).join('')
  for (let i = 0; i < 20_000; i++) report.note(request(`/${letters(i % 20)}/${letters(i)}/${letters(i * 7)}`))
  const { groups, requests, forgotten } = report.facts()
  t.ok(groups.length <= 500)
  t.equal(requests, 20_003)
  t.equal(groups.reduce((sum, group) => sum + group.requests, 0) + forgotten, requests)
  t.ok(groups.some(({ path }) => path === '/poll'))
  report.begin('observe')
  t.match(report.facts(), { requests: 0, groups: [], forgotten: 0 })
})

t.test('the reports of several workers are one', async t => {
  const [one, two] = [open(), open()]
  one.report.note(request('/x', { address: '10.0.0.1' }))
  two.clock.move(5000)
  two.report.note(request('/x', { address: '10.0.0.2' }))
  two.report.note(request('/y'))
  const merged = mergeObserved([one.report.facts(), two.report.facts()])
  t.match(merged, {
    mode: 'observe',
    requests: 3,
    groups: [{ path: '/x', requests: 2, addresses: ['10.0.0.1', '10.0.0.2'] }, { path: '/y' }],
  })
  t.equal(one.report.facts().groups[0]?.requests, 1, 'the parts stay as they are')
})
