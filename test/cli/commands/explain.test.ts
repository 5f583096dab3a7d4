// What an operator reads: the ladder of a login, line by line, from a file and from the gateway.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type ExplainOptions, explain } from '../../../src/cli/commands/explain.js'
import { report } from '../../../src/cli/io.js'
import { folder, idp, stranger } from '../../attack/saml/attack.js'
import { acsPath, startInteropGateway } from '../../parts/interop-gateway.js'
import type { ResponseChange } from '../../parts/saml-idp.js'

const at = '2026-11-22T00:00:00Z'
const config = join(folder, 'deskgate.yaml')

async function explained(options: ExplainOptions) {
  const [lines, errors]: [string[], string[]] = [[], []]
  const io = { env: {}, out: (line: string) => void lines.push(line), err: (line: string) => void errors.push(line) }
  const code = await explain(undefined, { config, at, ...options }, io)
  return { code, lines, errors, text: lines.join('\n') }
}

async function file(t: Test, name: string, content: string | Buffer): Promise<string> {
  const own = await mkdtemp(join(tmpdir(), 'deskgate-explain-'))
  t.teardown(() => rm(own, { recursive: true, force: true }))
  await writeFile(join(own, name), content)
  return join(own, name)
}

const saved = (t: Test, change: ResponseChange) => file(t, 'response.xml', idp.xml(change))

t.test('a good response: every check in order, and what a file cannot tell', async t => {
  const { code, lines, errors, text } = await explained({ saml: join(folder, 'good.xml') })
  t.match({ code, errors }, { code: 0, errors: [] })
  t.match(lines[0], /^file {6}.*good\.xml \(\d+ bytes\)$/)
  t.equal(lines[1], 'provider  corp')
  t.equal(lines[2], 'as of     2026-11-22T00:00:00.000Z')
  const order = [
    'issuer',
    'status',
    'signature',
    'clock',
    'destination',
    'recipient',
    'audience',
    'InResponseTo',
    'e-mail',
  ]
  const places = order.map(name => lines.findIndex(line => line.startsWith('  ok') && line.includes(name)))
  t.ok(
    places.every((place, index) => place > (places[index - 1] ?? 0)),
    places.join(' '),
  )
  t.match(text, /\n {2}ok {4}audience +desk\.example\.com\n/, 'what is the same is said once')
  t.match(text, /ok +signature +embedded SHA-256 [0-9a-f]{64}, which is trusted +\(expected by SHA-256 [0-9a-f]{64}\)/)
  t.match(text, /-- {4}cookie of the login +not in a file: assumed to be present/)
  t.equal(lines.at(-1), 'accepted: jane@example.com')
})

t.test('a failed check stands out: expected, seen, the setting, and what to do', async t => {
  const { code, errors, text } = await explained({ saml: join(folder, 'other-audience.xml') })
  t.match({ code, errors }, { code: 1, errors: ['refused: saml.audience_mismatch'] })
  t.match(
    text,
    /\n {2}FAIL {2}audience +expected {2}desk\.example\.com\n +seen {6}other\.example\.com\n +change {4}providers\[\]\.entityId\n\nrefused: saml\.audience_mismatch\n {2}The assertion is meant/,
  )
  t.notMatch(text, /accepted|not in a file/)
})

t.test('clocks: how many seconds, and which way', async t => {
  const ahead = await explained({ saml: join(folder, 'clock-ahead.xml') })
  t.match(ahead.text, /identity provider's clock +3600 s ahead \(it issued this at 2026-11-22T01:00:00\.000Z\)/)
  t.match(
    ahead.text,
    /FAIL +conditions begun +expected .*\n +seen +\S+ \(3570 s ahead\); check the identity provider's clock\n +change +the clock that is wrong: NTP on both hosts; then providers\[\]\.clockSkew/,
  )
  const behind = await explained({ saml: join(folder, 'clock-behind.xml') })
  t.match(behind.text, /identity provider's clock +3600 s behind/)
})

t.test('a file of last year is late by now: it says from when to look at it', async t => {
  const saml = await saved(t, { plan: { now: Date.UTC(2025, 0, 1) } })
  const late = await explained({ saml, at: undefined } as unknown as ExplainOptions)
  t.match(late.lines.at(-1), /--at 2025-01-01T00:00:00\.000Z$/)
  t.match(await explained({ saml, at: '2025-01-01T00:00:00.000Z' }), { code: 0 })
})

t.test('a certificate that the provider does not trust, and one whose message was changed, look different', async t => {
  const foreign = await explained({ saml: join(folder, 'stranger-key.xml') })
  t.match(
    foreign.text,
    /seen +embedded SHA-256 [0-9a-f]{64}, which is not trusted\n +change +providers\[\]\.certificates/,
  )
  const changed = await explained({ saml: join(folder, 'email-changed.xml') })
  t.match(changed.text, /FAIL +signature +expected .*\n +seen +embedded SHA-256 [0-9a-f]{64}, which is trusted\n/)
  const bare = await saved(t, {
    after: xml => xml.replace(/<ds:KeyInfo>.*?<\/ds:KeyInfo>/gs, '').replace('Jane@', 'x@'),
  })
  t.match((await explained({ saml: bare })).text, /seen +no embedded certificate/)
})

t.test('of several providers the one with the issuer is asked, or the one that was named', async t => {
  const yaml = `publicUrl: https://desk.example.com
secrets: ["the secret of this test is long enough"]
desk: { url: "http://127.0.0.1:9" }
agents: [{ domains: [example.com] }]
providers:
  - { id: first, type: saml, name: A, issuer: "https://a.example.com", loginUrl: "https://a.example.com/", certificates: [a.crt] }
  - { id: corp, type: saml, name: B, issuer: "https://idp.example.com/metadata", loginUrl: "https://b.example.com/", certificates: ["${folder}/idp.crt"] }
`
  const two = await file(t, 'deskgate.yaml', yaml)
  await writeFile(join(two, '../a.crt'), stranger.certificate)
  const saml = join(folder, 'good.xml')
  t.match(await explained({ config: two, saml }), { code: 0, text: /provider {2}corp/ })
  const named = await explained({ config: two, saml, provider: 'first' })
  t.match(
    named.text,
    /FAIL +issuer +expected {2}https:\/\/a\.example\.com \(first\)\n +seen +https:\/\/idp\.example\.com/,
  )
  t.match(await explained({ config: two, saml, provider: 'none' }), {
    code: 1,
    text: '',
    errors: ['no provider has the id none: --provider takes first, corp'],
  })
})

t.test('Attack: what was sent cannot write lines of its own, or move the cursor', async t => {
  const hostile = '\u001b[2K\r  ok    everything\n\u202eaccepted: me\u2028'
  const lines = report([{ name: 'e-mail', ok: false, expected: hostile, seen: hostile }], {
    reason: 'saml.email_invalid',
  })
  t.equal(lines.length, 7)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  for (const line of lines) t.notMatch(line, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2028\u2029]/)
  const saml = await saved(t, { plan: { nameId: 'x\u202ey@example.com' } })
  t.match((await explained({ saml })).text, /x\\u\{202e\}y/)
})

t.test('bytes count: what an editor does not show is checked as it stands', async t => {
  const bom = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(idp.xml())])
  t.match(await explained({ saml: await file(t, 'bom.xml', bom) }), { code: 1, text: /FAIL +message/ })
  const latin = Buffer.from(idp.xml({ plan: { nameId: 'jos\u00e9@example.com' } }), 'latin1')
  t.match(await explained({ saml: await file(t, 'latin.xml', latin) }), { code: 1, text: /not UTF-8/ })
  t.match(await explained({ saml: await file(t, 'lines.xml', `\n${idp.xml()}\n\n`) }), { code: 0 })
  t.match(await explained({ saml: await file(t, 'empty.xml', '') }), { code: 1, text: /refused: saml\.malformed/ })
})

t.test('a file is held to the limits.callback of its configuration, as a posted response is', async t => {
  const more = (count: number, text: string) => {
    const one = `<saml:Attribute Name="g"><saml:AttributeValue>${text}</saml:AttributeValue></saml:Attribute>`
    const statement = `<saml:AttributeStatement>${one.repeat(count)}</saml:AttributeStatement></saml:Assertion>`
    return saved(t, { before: xml => xml.replace('</saml:Assertion>', statement) })
  }
  const raisedTo = async (size: string) => {
    const text = (await readFile(config, 'utf8')).replaceAll('./', `${folder}/`)
    const absolute = text.replace(/^(\s*certificates: \[)(?!\/)/m, `$1${folder}/`)
    return file(t, 'deskgate.yaml', `${absolute}\nlimits: { callback: ${size}, bodies: 64mb }\n`)
  }
  const long = await more(2000, 'x'.repeat(100))
  const many = await more(4000, 'x')
  t.match(await explained({ saml: long }), { code: 1, text: /size +expected {2}at most 262144 bytes/ })
  t.match(await explained({ saml: many }), { code: 1, text: /refused: saml\.malformed/ })
  const raised = await raisedTo('1mb')
  t.match(await explained({ saml: long, config: raised }), { code: 0 })
  t.match(await explained({ saml: many, config: raised }), { code: 0 })
  const lowered = await raisedTo('16kb')
  t.match(await explained({ saml: await more(100, 'x'.repeat(100)), config: lowered }), {
    code: 1,
    text: /size +expected {2}at most 16384 bytes[\s\S]*limits\.callback[\s\S]*refused: saml\.malformed/,
  })
})

t.test('by reference: whose login, from where, and how many cookies of logins came', async t => {
  const token = 'the-token-of-this-test-which-is-long-enough'
  const certificate = { files: { 'idp.crt': stranger.certificate } }
  const provider = {
    issuer: 'https://idp.example.com/metadata',
    loginUrl: 'https://b.example.com/',
    certificates: ['idp.crt'],
  }
  const behind = await startInteropGateway(provider, { ...certificate, adminToken: token })
  t.teardown(behind.close)
  const { reference = '' } = await behind.newAgent().postCrossSite(acsPath, { SAMLResponse: idp.message() })
  const lines: string[] = []
  const io = { env: { DESKGATE_ADMIN_TOKEN: token }, out: (line: string) => void lines.push(line), err: () => {} }
  t.equal(await explain(reference, { ops: behind.gateway.opsUrl }, io), 0)
  t.equal(lines[0], `login       ${reference}`)
  t.match(lines[1], /^refused at {2}\d{4}-/)
  t.equal(lines[2], 'provider    corp')
  t.match(lines[3], /^from {8}127\.0\.0\.1 \(Chrome on Linux\)$/)
  t.match(lines.join('\n'), /refused: saml\.signature_invalid\n {2}No configured certificate/)
})

t.test('roles of an accepted login: what arrived, what it became, what was dropped', async t => {
  const yaml = `publicUrl: https://desk.example.com
secrets: ["the secret of this test is long enough"]
desk: { url: "http://127.0.0.1:9" }
agents: [{ any: true }]
providers:
  - id: corp
    type: saml
    name: B
    issuer: "https://idp.example.com/metadata"
    loginUrl: "https://b.example.com/"
    certificates: ["${folder}/idp.crt"]
    attributes: { email: NameID, roles: groups, headers: { X-Agent-Department: department } }
    roles: { map: { g1: agent }, unmapped: drop }
`
  const own = await file(t, 'deskgate.yaml', yaml)
  const attributes = [
    { name: 'groups', values: ['g1', 'G1', 'g\u001b[2J3'.replace('\u001b', '')] },
    { name: 'department', values: ['x'.repeat(100_000)] },
  ]
  const { text, code } = await explained({ config: own, saml: await saved(t, { plan: { attributes } }) })
  t.equal(code, 0)
  t.match(text, /ok {4}roles that arrived +3: g1, G1, g\[2J3/)
  t.match(text, /ok {4}roles dropped +2: G1 \(the map has g1: keys are case-sensitive\), g\[2J3/)
  t.match(text, /ok {4}roles, mapped +1: agent/)
  t.match(text, /ok {4}attributes +1: X-Agent-Department: left out, 1 values of 100001 characters/)
})
