import fc from 'fast-check'
import t from 'tap'
import { createPaths } from '../../../src/web/request/paths.js'
import { returnToIn, safeReturnTo, shorten, takeState, withFragment } from '../../../src/web/request/return-to.js'
import { readTarget } from '../../../src/web/request/target.js'

const publicUrl = 'https://desk.example.com'
const paths = createPaths('/auth')
const safe = (value: unknown, under = paths) => safeReturnTo(value, publicUrl, under)

t.test('a path of Desk is kept as it is', t => {
  const kept = [
    '/',
    '/tickets/7',
    '/tickets/7?tab=notes&x=1',
    '/tickets?q=100%25',
    '/tickets?q=100%',
    '/tickets?next=//evil.example',
    '/tickets?next=https://evil.example/',
    '/tickets#note-3',
    '/tickets/7?a=b#note',
    '/files/my%20report.pdf',
    '/files/%C3%BCbersicht',
    '/a//b',
    '/a/...',
    '/..a/b',
    '/a/.hidden',
    '/a/b;v=1',
    '/a@b',
    '/a:b',
    '/authors',
    '/authentication/x',
    '/a/auth/login',
    '/%E4%BD%A0',
    '/discount-100%25',
    '/files/a%2520b',
    '/?',
    '/a?b=%0d%0a',
    '/@evil.example',
  ]
  for (const path of kept) t.equal(safe(path), path === '/?' ? '/' : path)
  t.end()
})

t.test('an absolute URL of our origin is read as its path', t => {
  t.equal(safe('https://desk.example.com'), '/')
  t.equal(safe('https://desk.example.com/'), '/')
  t.equal(safe('https://desk.example.com/a?b=c#d'), '/a?b=c#d')
  t.equal(safe('https://desk.example.com:443/a'), '/a')
  t.equal(safe('HTTPS://Desk.Example.COM/a'), '/a')
  t.equal(safe('https://desk.example.com?b=c'), '/?b=c')
  t.equal(safeReturnTo('http://localhost:8080/a', 'http://localhost:8080', paths), '/a')
  t.end()
})

t.test('characters beyond ASCII leave escaped, so that they can stand in a header', t => {
  t.equal(safe('/übersicht'), '/%C3%BCbersicht')
  t.equal(safe('/a?q=ü'), '/a?q=%C3%BC')
  t.equal(safe('/a"<b>'), '/a%22%3Cb%3E')
  t.equal(safe('/／／evil.example'), '/%EF%BC%8F%EF%BC%8Fevil.example')
  t.end()
})

const controls = ['\t', '\n', '\r', '\v', '\f', '\0', '\x08', '\x1f', '\x7f', '\x85']
const spaces = [' ', '\u00a0', '\u1680', '\u2000', '\u2028', '\u2029', '\u3000', '\ufeff', '\u200b', '\u202e', '\u180e']
const hosts = [
  'evil.example',
  'evil.example/%2f..',
  'desk.example.com.evil.example',
  '3627734734',
  '[::1]',
  'evil%E3%80%82example',
]

/** Everything here must become '/'. */
const hostile: string[] = [
  // no host may be named
  ...hosts.flatMap(host => [
    `//${host}`,
    `///${host}`,
    `////${host}`,
    `/\\${host}`,
    `\\/${host}`,
    `\\\\${host}`,
    `\\${host}`,
    `/\\/${host}`,
    `//\\${host}`,
    `http://${host}`,
    `https://${host}`,
    `https:${host}`,
    `https:/${host}`,
    `https:///${host}`,
    `https:\\\\${host}`,
    `http:${host}`,
    `HTTPS://${host}`,
    `//${host}@desk.example.com`,
    `//desk.example.com@${host}`,
    `https://desk.example.com@${host}`,
    `https://desk.example.com%40${host}`,
    `/%2f${host}`,
    `/%2F%2F${host}`,
    `%2f%2f${host}`,
    `/%5c${host}`,
    `/%5C%5c${host}`,
    `/%252f${host}`,
    `/%252f%252f${host}`,
    `/%25252f${host}`,
    `/%2525252f${host}`,
    `/%255c${host}`,
    `/.//${host}`,
    `/..//${host}`,
    `/a/..//${host}`,
    `/a/../..//${host}`,
    `/./\\${host}`,
    `/%2e//${host}`,
    `/%2e%2e//${host}`,
    `/a/%2e%2e//${host}`,
    `/a/.%2e//${host}`,
    `/%252e%252e//${host}`,
    `/..;//${host}`,
    `/.;/${host}`,
    host,
  ]),
  // what browsers drop or trim
  ...[...controls, ...spaces].flatMap(character => [
    `/${character}/evil.example`,
    `${character}//evil.example`,
    `${character}/evil.example`,
    `/${character}\\evil.example`,
    `/a${character}b`,
    `https:${character}//evil.example`,
  ]),
  ...['%09', '%0a', '%0d', '%0b', '%00', '%20', '%7f', '%C2%85', '%2509', '%250a'].flatMap(octet => [
    `/${octet}/evil.example`,
    `/${octet}%2fevil.example`,
  ]),
  // schemes
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  '\x19javascript:alert(1)',
  ' javascript:alert(1)',
  'java\nscript:alert(1)',
  'javascript://desk.example.com/%0aalert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  'file:///etc/passwd',
  'ftp://desk.example.com/x',
  'blob:https://desk.example.com/1',
  'view-source:https://desk.example.com/',
  'ws://desk.example.com/',
  'mailto:a@evil.example',
  'about:blank',
  'intent://evil.example#Intent;scheme=https;end',
  // our name, not our origin
  'http://desk.example.com/a',
  'https://desk.example.com:8443/a',
  'https://desk.example.com.evil.example/a',
  'https://evil.example/https://desk.example.com',
  'https://user@desk.example.com/a',
  'https://user:pass@desk.example.com/a',
  'https://desk.example.com@/a',
  'https://desk.example.com\\@evil.example/a',
  'https://desk.example.com\\.evil.example/a',
  'https://desk.example.com%2eevil.example/',
  'https://desk.example.com#@evil.example/\\',
  'https://desk.example.com//evil.example',
  'https://desk.example.com/\\evil.example',
  'https://desk.example.com/%2fevil.example',
  'https://desk.example.com/.//evil.example',
  'https://desk.example.com/a/..//evil.example',
  'https://desk.example.com\t/a',
  'https://desk.example.com./a',
  'https://deskaexample.com/a',
  // relative and empty
  '',
  'a',
  'a/b',
  './a',
  '../a',
  '?a=b',
  '#a',
  '.',
  '..',
  '@evil.example',
  ':80',
  ';//evil.example',
  // dot segments are 400 at the gateway
  '/.',
  '/..',
  '/a/..',
  '/a/./b',
  '/a/../b',
  '/a/%2e%2e/b',
  '/a/%252e%252e/b',
  // escapes that are none, or not UTF-8
  '/%',
  '/%2',
  '/%zz',
  '/%ff',
  '/%c0%af/evil.example',
  '/%c0%ae%c0%ae/evil.example',
  '/%e0%80%af/evil.example',
  // lone surrogates
  '/\ud800',
  // no end to the decoding
  `/%${'25'.repeat(12)}2fevil.example`,
  // the gateway's own paths
  '/auth',
  '/auth/',
  '/auth/login',
  '/auth/logout',
  '/auth/login?return_to=/auth/login',
  '/auth/logged-out#a',
  '/auth/session/end',
  '/auth/jwt',
  '/auth/jwt/callback',
  '/auth/saml/acs',
  '/AUTH/login',
  '/Auth/Logout',
  '/auth;x/login',
  '/auth;x',
  '/%61uth/login',
  '/auth%2flogin',
  '/%2561uth/login',
  '/auth%252flogout',
  '/%41UTH/login',
  'https://desk.example.com/auth/logout',
  'HTTPS://DESK.example.com/AUTH/login',
]

t.test('Attack: open redirect – whatever leaves publicUrl, or could after one more decoding, becomes /', t => {
  t.ok(hostile.length > 150, `${hostile.length} inputs`)
  for (const value of hostile)
    t.equal(
      safe(value),
      '/',
      value.replace(/[^\x20-\x7e]/g, c => `<${c.charCodeAt(0)}>`),
    )
  t.end()
})

t.test('what is not a string becomes /', t => {
  for (const value of [undefined, null, 1, {}, ['/a'], ['/a', '/b'], { toString: () => '/a' }])
    t.equal(safe(value), '/')
  t.end()
})

t.test('under another prefix the callback paths stay closed, /auth itself is Desk’s', t => {
  const other = createPaths('/sso')
  t.equal(safe('/auth/login', other), '/auth/login')
  for (const value of ['/sso/login', '/SSO', '/auth/jwt', '/auth/jwt/callback', '/auth/saml/acs', '/auth/%6awt']) {
    t.equal(safe(value, other), '/', value)
  }
  t.end()
})

t.test('a fragment is kept as a browser writes it, in the place of the one before', t => {
  for (const [fragment, kept] of [
    ['#ticket/zoom/17', '/a?b#ticket/zoom/17'],
    ['ticket/zoom/17', '/a?b#ticket/zoom/17'],
    ['##a#b?c', '/a?b##a#b?c'],
    ['#!/Agent;Ticket=7&x=%23', '/a?b#!/Agent;Ticket=7&x=%23'],
    ['#ü', '/a?b#%C3%BC'],
    ['#a\\b', '/a?b#a\\b'],
    ['#"><img src=x>'.replace(' ', '%20'), '/a?b#%22%3E%3Cimg%20src=x%3E'],
    ['#//evil.example', '/a?b#//evil.example'],
    ['#deskgate_state=x', '/a?b#deskgate_state=x'],
    [`#${'x'.repeat(300)}`, `/a?b#${'x'.repeat(300)}`],
  ] as const) {
    t.equal(withFragment('/a?b', fragment), kept)
    t.equal(withFragment('/a?b#before', fragment), kept)
    t.equal(safe(kept), kept.includes('\\') ? '/' : kept, 'and is one that a return_to may have')
  }
  t.end()
})

t.test('Attack: a fragment that is none, is too long, or holds a line break', t => {
  const long = ['x'.repeat(301), 'ü'.repeat(51), 'x'.repeat(65_536)]
  const unclean = ['a\r\nSet-Cookie: x=y', 'a\tb', 'a b', 'a\u0000', 'a\u2028b', '\ud800']
  for (const fragment of ['', '#', ...long, ...long.map(text => `#${text}`), ...unclean, undefined, 7, ['#a'], {}])
    t.equal(withFragment('/a?b#c', fragment), '/a?b#c')
  t.end()
})

t.test('one that is too long loses its fragment, then its query, then becomes /', t => {
  t.equal(safe(`/a?q=${'x'.repeat(2100)}`), '/a')
  t.equal(safe(`/a#${'x'.repeat(2100)}`), '/a')
  t.equal(safe(`/a?b#${'x'.repeat(301)}`), '/a?b')
  t.equal(safe(`/a?${'q'.repeat(1900)}#${'x'.repeat(300)}`), `/a?${'q'.repeat(1900)}`)
  t.equal(safe(`/${'x'.repeat(2100)}?q`), '/')
  t.equal(safe(`/a?q=${'x'.repeat(2000)}`).length, 2005)
  t.equal(
    shorten('/abc?d#e', candidate => candidate.length < 5),
    '/abc',
  )
  t.end()
})

t.test(
  'Property: the answer is a path of our origin, in ASCII, also after decoding, and validating it again changes nothing',
  t => {
    const piece = fc.oneof(
      fc.constantFrom(
        '/',
        '//',
        '\\',
        '.',
        '..',
        '%2f',
        '%252f',
        '%5c',
        '%2e',
        '?',
        '#',
        '@',
        ':',
        ';',
        'https:',
        'auth',
        'evil.example',
        '\t',
        ' ',
        '%00',
        '%',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    )
    const input = fc.oneof(
      fc.array(piece, { maxLength: 8 }).map(pieces => `/${pieces.join('')}`),
      fc.array(piece, { maxLength: 8 }).map(pieces => pieces.join('')),
      fc.array(piece, { maxLength: 8 }).map(pieces => publicUrl + pieces.join('')),
    )
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(input, value => {
          const judged = safe(value)
          const leaves = (reading: string) =>
            new URL(reading, publicUrl).origin !== publicUrl ||
            reading.startsWith('//') ||
            paths.owns(new URL(reading, publicUrl).pathname)
          let path = judged.split(/[?#]/, 1)[0] ?? ''
          for (let round = 0; round < 4; round++) {
            if (leaves(path)) return false
            try {
              path = decodeURIComponent(path)
            } catch {
              break
            }
          }
          return (
            !leaves(judged) &&
            /^\/[\x21-\x7e]*$/.test(judged) &&
            safe(judged) === judged &&
            readTarget(judged.split('#', 1)[0] ?? '') !== undefined
          )
        }),
        { numRuns: 5000 },
      ),
    )
    t.end()
  },
)

t.test('the state comes out of an echoed return_to, and the rest stays byte for byte', t => {
  t.same(takeState('/a?x=%20&deskgate_state=S&y=1#z'), { returnTo: '/a?x=%20&y=1#z', states: ['S'] })
  t.same(takeState('https://desk.example.com/a?deskgate_state=S'), {
    returnTo: 'https://desk.example.com/a',
    states: ['S'],
  })
  t.same(takeState('/a?deskgate_state=S&deskgate_state=T').states, ['S', 'T'])
  t.same(takeState('/a?b=c'), { returnTo: '/a?b=c', states: [] })
  t.same(takeState('/a?xdeskgate_state=S').states, [])
  t.same(takeState('/a#?deskgate_state=S').states, [])
  t.same(takeState('').states, [])
  t.end()
})

t.test('Desk’s own login pages are not pages to return to', t => {
  const within = (deskLoginPaths: string[]) => (value: unknown) =>
    returnToIn({ config: { publicUrl, login: { deskLoginPaths } }, paths } as never, value)
  const usual = within(['/login', '/login/new'])
  for (const page of [
    '/login',
    '/login/',
    '/login/new',
    '/login?back=%2Ftickets',
    '/login#top',
    `${publicUrl}/login`,
    '/lo%67in',
    '/login/new/?a',
  ])
    t.equal(usual(page), '/', page)
  for (const page of ['/', '/logins', '/login/other', '/a/login', '/Login', '/tickets?x=/login'])
    t.equal(usual(page), page)
  t.equal(within([])('/login'), '/login')
  t.equal(within(['/users/sign_in'])('/users/sign_in?x'), '/')
  t.end()
})
