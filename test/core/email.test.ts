import t from 'tap'
import { canonicalEmail, domainOf } from '../../src/core/email.js'

t.test('A to Z is lower-cased, nothing else', async t => {
  t.equal(canonicalEmail('Ana.Alvarez@Example.COM'), 'ana.alvarez@example.com')
  t.equal(canonicalEmail('ana+desk@example.com'), 'ana+desk@example.com')
  t.equal(canonicalEmail("o'brien@example.com"), "o'brien@example.com")
})

t.test('a non-ASCII address counts only in its exact NFC form, and look-alikes stay apart', async t => {
  t.equal(canonicalEmail('j\u00f6rg@example.com'), 'j\u00f6rg@example.com')
  t.equal(canonicalEmail('jo\u0308rg@example.com'), undefined, 'decomposed')
  t.equal(canonicalEmail('\u00c5sa@example.com'), '\u00c5sa@example.com', 'not folded')
  t.not(canonicalEmail('\u0430na@example.com'), 'ana@example.com', 'Cyrillic a')
  t.not(canonicalEmail('ana@example.com'.replace('a', '\uff41')), 'ana@example.com', 'full-width a')
})

t.test('what could be read two ways is not an address', async t => {
  const unusable = [
    '',
    '@example.com',
    'ana@',
    'ana',
    'ana@@example.com',
    'ana@b@example.com',
    ' ana@example.com',
    'ana@example.com ',
    'ana@example.com\n',
    'ana@exam\r\nple.com',
    'ana\u0000@example.com',
    'ana\u200b@example.com',
    'ana\u202e@example.com',
    'ana\u00a0@example.com',
    'Ana <ana@example.com>',
    'ana@example.com,ben@example.com',
    'ana@example.com;ben@example.com',
    '"ana b"@example.com',
    'ana@[127.0.0.1]',
    `${'a'.repeat(65)}@example.com`,
    `ana@${'a'.repeat(260)}`,
  ]
  for (const value of unusable) t.equal(canonicalEmail(value), undefined, JSON.stringify(value))
  for (const value of [undefined, null, 7, {}, ['ana@example.com'], { toString: () => 'ana@example.com' }]) {
    t.equal(canonicalEmail(value), undefined, typeof value)
  }
})

t.test('the domain is what stands behind the @', async t => {
  t.equal(domainOf('ana@example.com'), 'example.com')
})
