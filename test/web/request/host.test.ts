import t from 'tap'
import { clientKindOf } from '../../../src/web/request/fetch-metadata.js'
import { isAtPublicUrl, readTarget } from '../../../src/web/request/target.js'

t.test('absolute-form targets of our own host are read as origin form, others are not', async t => {
  const read = (raw: string, publicUrl = 'https://desk.example.com') => readTarget(raw, publicUrl)?.raw
  for (const authority of ['desk.example.com', 'DESK.example.com', 'desk.example.com:443', 'desk.example.com:80']) {
    for (const scheme of ['http', 'https', 'HTTPS'])
      t.equal(read(`${scheme}://${authority}/a?x=1`), '/a?x=1', authority)
  }
  t.equal(read('https://desk.example.com'), '/')
  t.equal(read('https://desk.example.com?x'), '/?x')
  t.equal(read('https://desk.example.com:8443/a', 'https://desk.example.com:8443'), '/a')
  for (const raw of [
    ...[
      'https://evil/a',
      'https://desk.example.com.evil/a',
      'https://u@desk.example.com/a',
      'ftp://desk.example.com/a',
    ],
    ...[
      'https:///a',
      'https://desk.example.com:8443/a',
      '//desk.example.com/a',
      'https://desk.example.com//a',
      '*',
      'a',
    ],
    ...['https://desk.example.com/../a', 'https://desk.example.com/a#b', 'https://desk.example.com\\a'],
  ]) {
    t.equal(read(raw), undefined, raw)
  }
  t.equal(read('https://desk.example.com/a', 'https://desk.example.com:8443'), undefined)
})

t.test('whether a browser has opened publicUrl', async t => {
  const at = (headers: Record<string, string>) => isAtPublicUrl(headers, 'https://desk.example.com')
  for (const host of ['desk.example.com', 'Desk.Example.com:443', 'desk.example.com:80']) t.ok(at({ host }), host)
  t.ok(at({ host: 'internal:8080', 'x-forwarded-host': 'desk.example.com' }))
  for (const host of ['localhost:8080', '10.0.0.1', 'desk', 'desk.example.com:8080', 'www.desk.example.com']) {
    t.notOk(at({ host }), host)
  }
})

t.test('a script of a browser without Fetch Metadata is a program', async t => {
  const accept = 'text/html, */*'
  t.equal(clientKindOf({ accept, 'x-requested-with': 'XMLHttpRequest' }), 'program')
  t.equal(clientKindOf({ accept, 'x-requested-with': '' }), 'program')
  t.equal(clientKindOf({ accept, 'x-requested-with': 'com.example.app' }), 'program')
  t.equal(clientKindOf({ accept }), 'document')
  const page = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  t.equal(clientKindOf({ ...page, 'x-requested-with': 'com.example.app' }), 'document')
  t.equal(clientKindOf({ accept, upgrade: 'h2c' }), 'document')
  t.equal(clientKindOf({ accept, upgrade: 'websocket' }), 'program')
})
