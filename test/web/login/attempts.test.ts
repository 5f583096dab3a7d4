import { randomBytes } from 'node:crypto'
import t from 'tap'
import { agentDigest } from '../../../src/core/identity.js'
import { createKeyring } from '../../../src/keys/keyring.js'
import {
  attemptLifetime,
  createAttempts,
  maxAttempts,
  maxCookieBytes,
  maxCookieBytesWithFragment,
} from '../../../src/web/login/attempts.js'
import {
  type CookieJar,
  createCookies,
  type ResponseCookie,
  serializeCookie,
} from '../../../src/web/request/cookies.js'
import { createTestClock } from '../../parts/clock.js'

const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
const plainCookies = createCookies({ publicUrl: 'http://localhost:8080', prefix: '/auth' })

function setUp() {
  const clock = createTestClock()
  const keyring = createKeyring(['a secret of the tests, 32 bytes or more'], { random: randomBytes })
  const attempts = createAttempts({ keyring, clock, random: randomBytes })
  return { clock, attempts, keyring }
}

/** A browser as far as these cookies go. */
function createBrowser(of = cookies) {
  const held = new Map<string, string>()
  return {
    held,
    take(setCookies: ResponseCookie[]) {
      for (const { name, value, attributes } of setCookies) {
        if (attributes.maxAge === 0) held.delete(name)
        else held.set(name, value)
      }
    },
    jar: (): CookieJar => ({
      cookies: of,
      header: [...held].map(([name, value]) => `${name}=${value}`).join('; ') || undefined,
    }),
  }
}

t.test('an attempt comes back as it began, from this browser only', t => {
  const { attempts } = setUp()
  const browser = createBrowser()
  const { attempt, setCookies } = attempts.begin(browser.jar(), 'corp', '/tickets/7?tab=1')
  browser.take(setCookies)
  t.match(attempt.id, /^[A-Za-z0-9_-]{22}$/)
  t.same(attempts.open(browser.jar(), attempt.id), attempt)
  t.same(attempt, {
    id: attempt.id,
    provider: 'corp',
    returnTo: '/tickets/7?tab=1',
    startedAt: attempt.startedAt,
    used: false,
  })
  t.equal(attempts.open(createBrowser().jar(), attempt.id), undefined)
  t.end()
})

t.test('the cookie has the flags that a cross-site POST needs, and on http the ones that http allows', t => {
  const { attempts } = setUp()
  const lineOf = (of: typeof cookies) =>
    attempts.begin({ cookies: of, header: undefined }, 'corp', '/').setCookies.map(serializeCookie)[0]
  t.match(
    lineOf(cookies),
    /^__Host-deskgate-login\.[A-Za-z0-9_-]{22}=[A-Za-z0-9_-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=None$/,
  )
  t.match(
    lineOf(plainCookies),
    /^deskgate-login\.[A-Za-z0-9_-]{22}=[A-Za-z0-9_-]+; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/,
  )
  t.end()
})

t.test('it ends after ten minutes by our clock, whatever the browser keeps', t => {
  const { attempts, clock } = setUp()
  const browser = createBrowser()
  const { attempt, setCookies } = attempts.begin(browser.jar(), 'corp', '/')
  browser.take(setCookies)
  clock.move(attemptLifetime - 1)
  t.ok(attempts.open(browser.jar(), attempt.id))
  clock.move(1)
  t.equal(attempts.open(browser.jar(), attempt.id), undefined)
  clock.move(-attemptLifetime - 60_000)
  t.equal(attempts.open(browser.jar(), attempt.id), undefined, 'nor before it began')
  t.end()
})

t.test('twelve at most: the oldest goes first', t => {
  const { attempts, clock } = setUp()
  const browser = createBrowser()
  const ids: string[] = []
  for (let tab = 0; tab < 15; tab++) {
    clock.move(1000)
    const begun = attempts.begin(browser.jar(), 'corp', `/tab/${tab}`)
    browser.take(begun.setCookies)
    ids.push(begun.attempt.id)
    t.ok(browser.held.size <= maxAttempts)
  }
  t.same(
    attempts.list(browser.jar()).map(attempt => attempt.id),
    ids.slice(3),
  )
  t.end()
})

t.test(
  'twelve tabs with 2 kB addresses stay below 6 kB of cookies; a long return_to loses its query, then becomes /',
  t => {
    const { attempts } = setUp()
    const browser = createBrowser()
    const begin = (provider: string, returnTo: string) => {
      const begun = attempts.begin(browser.jar(), provider, returnTo)
      for (const line of begun.setCookies.map(serializeCookie))
        t.ok(line.length <= maxCookieBytes, `${line.length} bytes`)
      browser.take(begun.setCookies)
      t.equal(attempts.open(browser.jar(), begun.attempt.id)?.returnTo, begun.attempt.returnTo)
      return begun.attempt.returnTo
    }
    t.equal(begin('p'.repeat(64), `/${'x'.repeat(100)}?q=${'y'.repeat(120)}`), `/${'x'.repeat(100)}`)
    t.equal(begin('corp', `/${'x'.repeat(100)}?q=${'y'.repeat(60)}`), `/${'x'.repeat(100)}?q=${'y'.repeat(60)}`)
    for (let tab = 0; tab < 12; tab++)
      t.equal(begin('corp', `/tickets/${tab}?${'q'.repeat(2000)}#x`), `/tickets/${tab}`)
    t.equal(begin('corp', `/${'x'.repeat(2000)}`), '/')
    t.ok((browser.jar().header?.length ?? 0) < 6000)
    t.end()
  },
)

t.test('a fragment is kept in a cookie of at most 1,000 bytes; a long return_to loses it first', t => {
  const { attempts } = setUp()
  const browser = createBrowser()
  const begin = (provider: string, returnTo: string) => {
    const { attempt, setCookies } = attempts.begin(browser.jar(), provider, returnTo)
    for (const line of setCookies.map(serializeCookie))
      t.ok(line.length <= maxCookieBytesWithFragment, `${line.length}`)
    browser.take(setCookies)
    t.equal(attempts.open(browser.jar(), attempt.id)?.returnTo, attempt.returnTo)
    return attempt.returnTo
  }
  const hash = `#${'x'.repeat(300)}`
  for (const page of ['/', `/tickets/7?${'q'.repeat(100)}`]) t.equal(begin('p'.repeat(64), page + hash), page + hash)
  const tail = `?${'q'.repeat(150)}`
  t.equal(begin('corp', `/tickets/7${tail}#x`), `/tickets/7${tail}#x`)
  t.equal(begin('corp', `/tickets/7?${'q'.repeat(400)}${hash}`), '/tickets/7')
  t.equal(begin('corp', `/tickets/7?${'q'.repeat(150)}${'/a'.repeat(150)}${hash}`), '/tickets/7')
  t.equal(begin('corp', `/${'x'.repeat(180)}?${'q'.repeat(400)}${hash}`), `/${'x'.repeat(180)}`)
  for (let tab = 0; tab < maxAttempts; tab++) t.equal(begin('corp', `/tickets/${tab}${hash}`), `/tickets/${tab}${hash}`)
  t.ok((browser.jar().header?.length ?? 0) < 12_000)
  t.end()
})

t.test('a used attempt stays, marked used, to its end', t => {
  const { attempts, clock } = setUp()
  const browser = createBrowser()
  const { attempt, setCookies } = attempts.begin(browser.jar(), 'corp', '/a')
  browser.take(setCookies)
  clock.move(60_000)
  const line = attempts.markUsed(browser.jar(), attempt)
  t.equal(line.attributes.maxAge, 540)
  browser.take([line])
  t.same(attempts.open(browser.jar(), attempt.id), { ...attempt, used: true, usedAt: clock.now() })
  browser.take(attempts.resetLoopCount(browser.jar()))
  t.same(attempts.open(browser.jar(), attempt.id), { ...attempt, used: true })
  clock.move(540_000)
  t.equal(attempts.open(browser.jar(), attempt.id), undefined)
  t.end()
})

t.test('Attack: a moved, changed, doubled or foreign cookie is not an attempt', t => {
  const { attempts, keyring } = setUp()
  const browser = createBrowser()
  const one = attempts.begin(browser.jar(), 'corp', '/a')
  const [pair = ''] = one.setCookies.map(serializeCookie)[0]?.split(';') ?? []
  const [name = '', value = ''] = pair.split('=')
  const opens = (header: string, id = one.attempt.id) => attempts.open({ cookies, header }, id)
  t.ok(opens(pair))
  t.ok(opens(`a=b; ${pair}; c=d`))
  t.ok(opens(`a=b;${pair}`))
  const other = 'A'.repeat(22)
  t.equal(opens(`${cookies.attempt}${other}=${value}`, other), undefined, 'under another name')
  t.equal(opens(`${pair}; ${name}=x`), undefined, 'twice')
  t.equal(opens(`${pair.slice(0, -2)}${pair.endsWith('AA') ? 'BA' : 'AA'}`), undefined, 'changed')
  t.equal(opens(`${pair}=`), undefined)
  t.equal(opens(`  ${pair}`), undefined, 'spaces around the name')
  t.equal(opens(pair, '../etc'), undefined)
  t.equal(opens(pair, ''), undefined)
  t.equal(opens(`${name}=`), undefined)
  t.equal(opens(name), undefined)
  const elsewhere = keyring.seal('seen', keyring.open('attempt', value, name) ?? Buffer.alloc(0), name)
  t.equal(opens(`${name}=${elsewhere}`), undefined, 'sealed for another purpose')
  t.equal(opens(`${name}=${keyring.seal('attempt', Buffer.from([9, 9, 9]), name)}`), undefined, 'of another format')
  t.end()
})

t.test('what does not open is cleared away by the next login', t => {
  const { attempts } = setUp()
  const stray = `${cookies.attempt}${'B'.repeat(22)}`
  const { setCookies } = attempts.begin({ cookies, header: `${stray}=junk; other=1` }, 'corp', '/')
  t.equal(setCookies.length, 2)
  t.match(setCookies[0], {
    name: stray,
    value: '',
    attributes: { maxAge: 0, path: '/', sameSite: 'none', secure: true },
  })
  t.end()
})

t.test('what a step-up asks for comes back, whole and named, in a cookie as small as the others', t => {
  const { attempts } = setUp()
  const contexts = Array.from({ length: 16 }, (_, i) => `urn:example:a-long-name-of-a-context:${'x'.repeat(80)}:${i}`)
  const stepUp = {
    origin: randomBytes(32).toString('base64url'),
    agent: agentDigest('ada@example.com'),
    context: contexts,
    maxAge: 30 * 86_400_000,
  }
  for (const asked of [
    stepUp,
    { ...stepUp, context: [] },
    { origin: stepUp.origin, agent: stepUp.agent, context: ['a'] },
  ]) {
    const browser = createBrowser()
    const returnTo = '/tickets/1047?tab=comments&sort=newest'
    const { attempt, setCookies } = attempts.begin(browser.jar(), 'corp', returnTo, { stepUp: asked })
    for (const cookie of setCookies) t.ok(serializeCookie(cookie).length <= maxCookieBytes)
    t.equal(attempt.returnTo, returnTo)
    browser.take(setCookies)
    const opened = attempts.open(browser.jar(), attempt.id, [...contexts, 'a', 'another'])
    t.same(opened, attempt)
    if (!opened) return t.end()
    browser.take([attempts.markUsed(browser.jar(), opened)])
    t.same(attempts.open(browser.jar(), attempt.id, [...contexts, 'a'])?.stepUp, asked)
    const renamed = attempts.open(browser.jar(), attempt.id, ['b'])?.stepUp?.context ?? []
    t.equal(renamed.length, asked.context.length, 'a context that no rule has any more is still asked for')
    t.notOk(renamed.some(context => contexts.includes(context) || context === 'b'))
  }
  t.end()
})

t.test('the language that was chosen comes back, also with a step-up and beside a long return_to', t => {
  const { attempts } = setUp()
  const stepUp = { origin: randomBytes(32).toString('base64url'), agent: agentDigest('a@example.com'), context: ['a'] }
  for (const more of [{}, { stepUp }]) {
    for (const language of ['de', 'zh-Hant-HK', undefined]) {
      const browser = createBrowser()
      const { attempt, setCookies } = attempts.begin(browser.jar(), 'corp', `/a?${'x'.repeat(400)}`, {
        ...more,
        language,
      })
      for (const cookie of setCookies) t.ok(serializeCookie(cookie).length <= maxCookieBytes)
      t.equal(attempt.returnTo, '/a')
      browser.take(setCookies)
      const opened = attempts.open(browser.jar(), attempt.id, ['a'])
      t.same(opened, attempt)
      t.equal(opened?.language, language)
      if (opened) browser.take([attempts.markUsed(browser.jar(), opened)])
      t.equal(attempts.open(browser.jar(), attempt.id)?.language, language)
    }
  }
  t.end()
})
