import fc from 'fast-check'
import t from 'tap'
import { readTarget } from '../../../src/web/request/target.js'

t.test('a target is read once: path decoded, query and raw bytes as sent', async t => {
  const read = (raw: string) => {
    const target = readTarget(raw)
    return target && [target.path, target.query, target.ambiguous]
  }
  t.strictSame(read('/'), ['/', '', false])
  t.strictSame(read('/a/b?x=1?y'), ['/a/b', 'x=1?y', false])
  t.strictSame(read('/a?'), ['/a', '', false])
  t.strictSame(read('/%61/%C3%A9'), ['/a/é', '', false])
  t.strictSame(read('/a?x=/../%00&y=%zz\\'), ['/a', 'x=/../%00&y=%zz\\', false], 'the query is not decided on')
  t.strictSame(read('/a!$&\'()*+,=:@~_-[]^|{}"<>`'), ['/a!$&\'()*+,=:@~_-[]^|{}"<>`', '', false])
  t.strictSame(read('/a//b'), ['/a//b', '', false])
  t.strictSame(read('/100%25'), ['/100%', '', true])
  t.strictSame(read('/a%2Fb'), ['/a/b', '', true])
  t.strictSame(read('/a%2fb'), ['/a/b', '', true])
  t.strictSame(read('/a;b'), ['/a;b', '', true])
  t.strictSame(read('/a%3Bb'), ['/a;b', '', true])
  t.strictSame(read('/a?b;c'), ['/a', 'b;c', false])
  t.equal(readTarget('/%61?%62')?.raw, '/%61?%62')
})

t.test('segments that merely begin with dots pass', async t => {
  for (const raw of [
    '/..foo',
    '/.well-known/x',
    '/...',
    '/a/..b/c',
    '/a.',
    '/a..',
    '/.a',
    '/x/...',
    '/%2e%2efoo',
    '/a/%2ehidden',
  ]) {
    t.ok(readTarget(raw), raw)
  }
})

t.test('what cannot be read in one way is refused', async t => {
  const refused = {
    'dot segments': [
      '/..',
      '/.',
      '/a/../b',
      '/a/./b',
      '/a/..',
      '/a/.',
      '/../',
      '/a/..?x',
      '/..;/a',
      '/a/..;x=1/b',
      '/.;',
    ],
    'encoded once': [
      '/%2e%2e/a',
      '/a/%2E%2e',
      '/.%2e/a',
      '/%2e/a',
      '/..%2fa',
      '/a%2f..%2fb',
      '/%2e%2e%2fa',
      '/..%3b/a',
    ],
    'encoded twice': [
      '/%252e%252e/a',
      '/a/%252E',
      '/.%252e/a',
      '/..%252fa',
      '/a%252f..',
      '/a/..%255cb',
      '/%25%32%65%252e/',
    ],
    backslash: ['/\\evil', '/a\\b', '/a/\\..\\b', '/%5c', '/a%5C..%5Cb'],
    'control characters': ['/%00', '/a%00b', '/%0d%0aX', '/%0A', '/%09', '/%1f', '/%7f', '/%7F', '/%C2%80', '/%c2%9f'],
    'raw bytes': ['/a b', '/a\tb', '/a\0b', '/a\x7f', '/é', '/a?é', '/a?\0', '/a? b', '/\u0100'],
    'escapes that are none': ['/%', '/%2', '/%zz', '/a%g0', '/%u002e', '/%%32%65'],
    'escapes that are no UTF-8': ['/%ff', '/%C3', '/%c0%ae', '/%c0%ae%c0%ae/a', '/%ED%A0%80', '/%e2%28%a1'],
    'two slashes in front': ['//', '//evil.com', '//evil/..', '/%2f', '/%2Fevil'],
    'not origin form': [
      '',
      '*',
      'a',
      '?x',
      '#',
      'http://evil/a',
      'https://desk.example.com/a',
      'ftp://x/',
      'HTTP://x',
      '.',
      '..',
    ],
    'a raw #': ['/#', '/a#b', '/a?b#c'],
  }
  for (const [why, targets] of Object.entries(refused)) {
    for (const raw of targets) t.equal(readTarget(raw), undefined, `${why}: ${JSON.stringify(raw)}`)
  }
})

t.test('whatever is read stays below what it names, however often it is decoded', async t => {
  const piece = fc.constantFrom(
    '/',
    '.',
    '..',
    '%2e',
    '%252e',
    '%2f',
    '%252f',
    '%5c',
    '%255c',
    '\\',
    ';',
    'a',
    '%25',
    '?',
    '#',
    '%',
    '2e',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), pieces => {
      const raw = `/${pieces.join('')}`
      const target = readTarget(raw)
      if (!target) return
      for (const path of [target.path, loose(target.path)]) {
        const segments = path.split(/[/\\]/).map(segment => segment.split(';')[0])
        if (segments.includes('.') || segments.includes('..')) throw new Error(`${raw} → ${path}`)
      }
    }),
    { numRuns: 5000 },
  )
  t.pass('no dot segment came through')
})

function loose(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

t.test('a text that is no bytes is no target: a form of our pages names one', async t => {
  for (const raw of ['/auth/login?x=\u01c3\u01a9', '/auth/login?x=\u20ac', '/\u0141'])
    t.equal(readTarget(raw), undefined)
})

t.test('a dot segment after another decoding is found as if it were decoded', async () => {
  const parts = ['a', '.', '/', ';', '%252e', '%252E', '%252f', '%255c', '%253b', '%25', '2e', '%2561', '%25%32%65']
  const again = (path: string) =>
    path.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const dots = /(?:^|[/\\])\.\.?(?:[/\\;]|$)/
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { maxLength: 8 }), list => {
      const raw = `/a${list.join('')}`
      const once = decodeURIComponent(raw)
      const wrong = dots.test(once) || dots.test(again(once))
      return (readTarget(raw) === undefined) === wrong
    }),
    { numRuns: 3000 },
  )
})
