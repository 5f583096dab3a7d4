// One reading of the Cookie header: exact bytes for our own cookies, the most lenient reading for what must not reach Desk.

import t from 'tap'
import { createCookies } from '../../../src/web/request/cookies.js'
import { cookieHeader, onlyCookie, readCookies } from '../../../src/web/request/read-cookies.js'

t.test('exact pairs, in any place', async t => {
  for (const header of [
    'a=1',
    'a=1; b=2',
    'b=2; a=1',
    'b=2;a=1',
    ' a=1',
    'xa=9; a=1; ax=8',
    'a=1;',
    'c; a=1',
    'b=a=7; a=1',
  ])
    t.equal(readCookies(header).single('a'), '1', header)
  t.equal(readCookies('a=').single('a'), '')
  t.equal(readCookies('a=b=c').single('a'), 'b=c')
  for (const header of [undefined, '', 'b=1', 'A=1', '  a=1', '\ta=1', 'a =1', 'b=2;  a=1', 'b=x a=1', 'b="; a=1', 'a'])
    t.equal(readCookies(header).single('a'), header === 'b="; a=1' ? '1' : undefined, `${header}`)
})

t.test('two of one name: all are kept, and none is the only one', async t => {
  for (const header of ['a=1; a=2', 'a=1;a=2', 'a=1; b=3; a=2']) {
    const read = readCookies(header)
    t.same(read.all('a'), ['1', '2'], header)
    t.equal(read.single('a'), undefined, header)
    t.equal(onlyCookie(header, 'a='), undefined)
  }
  t.same(readCookies('a.1=x; b=y; a.2=z; a.1=w; a.3').startingWith('a.'), [
    ['a.1', 'x'],
    ['a.2', 'z'],
    ['a.1', 'w'],
  ])
})

t.test('what goes to Desk is filtered by the lenient reading; its other bytes stay', async t => {
  const isA = (name: string) => name === 'a'
  const cases: [string, string | undefined, string[]][] = [
    ['a=1', undefined, ['1']],
    ['b=2; \ta =1;c=3', 'b=2;c=3', ['1']],
    ['b="x; y" ; a=1; ; a=2', 'b="x; y" ; ', ['1', '2']],
    ['b=\u00e9; c', 'b=\u00e9; c', []],
  ]
  for (const [header, left, values] of cases) {
    t.equal(readCookies(header).without(isA)?.trim(), left?.trim(), header)
    t.same(readCookies(header).lenient(isA), values, header)
  }
})

t.test('all Cookie lines count, whatever the case of their name', async t => {
  const request = { rawHeaders: ['cookie', 'a=1', 'Host', 'x', 'COOKIE', 'b=2', 'Cookie', 'a=3'] } as never
  t.equal(cookieHeader(request), 'a=1; b=2; a=3')
  t.equal(cookieHeader({ rawHeaders: ['Host', 'x'] } as never), undefined)
})

t.test('the attributes of each cookie of the gateway', async t => {
  const https = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/sso', desk: '_desk' })
  const http = createCookies({ publicUrl: 'http://localhost:8080', prefix: '/auth' })
  const own = { path: '/', httpOnly: true, secure: true, sameSite: 'lax' }
  const everywhere = { ...own, sameSite: 'none' }
  t.same(https.setSession('id', 'mark'), [
    { name: '__Host-deskgate', value: 'id', attributes: own },
    { name: '__Secure-deskgate-seen', value: 'mark', attributes: { ...everywhere, path: '/sso' } },
    { name: '__Secure-deskgate-seen', value: 'mark', attributes: { ...everywhere, path: '/auth' } },
  ])
  t.same(
    https.clearSession().map(({ name, value, attributes }) => [name, value, attributes.maxAge, attributes.domain]),
    [
      ['__Host-deskgate', '', 0, undefined],
      ['__Host-deskgate-kept', '', 0, undefined],
      ['__Secure-deskgate-seen', '', 0, undefined],
      ['__Secure-deskgate-seen', '', 0, undefined],
      ['__Host-deskgate-desk', '', 0, undefined],
      ['__Host-deskgate-desk-form', '', 0, undefined],
      ['_desk', '', 0, undefined],
      ['_desk', '', 0, 'desk.example.com'],
    ],
  )
  const named = createCookies({ publicUrl: 'http://localhost:8080', prefix: '/auth', deskSessions: ['a', '__Host-b'] })
  t.same(
    named.clearDesk().map(({ name, attributes }) => [name, attributes.path, attributes.maxAge]),
    [
      ['a', '/', 0],
      ['__Host-b', '/', 0],
    ],
  )
  for (const { name, attributes } of [...http.setSession('id', 'mark'), ...http.clearSession()]) {
    t.notMatch(name, /^__/)
    t.match(attributes, { secure: false, sameSite: 'lax', httpOnly: true })
  }
})
