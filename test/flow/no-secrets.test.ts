// Every way in, well and badly, with secrets that are known: none of them may stand in the log, the audit log, the metrics or
// what the ops API tells of a refused login.

import t from 'tap'
import { ada, startApiSetup } from '../parts/api-client.js'
import { longSecret } from '../parts/configuration.js'
import { logIn } from '../parts/identity-provider.js'

const adminToken = longSecret('admin')

t.test('nothing that opens something is written down', async t => {
  const place = await startApiSetup(t, { settings: { ops: { adminToken } } })
  const { gateway, idp } = place
  const secrets = new Map<string, string>([['admin token', adminToken]])
  const references: string[] = []
  const note = (what: string, value: string) => void secrets.set(what, value)

  const agent = place.newAgent()
  t.equal((await logIn(agent, idp, { way: 'portal', email: ada })).status, 303)
  for (const { name, value } of agent.cookies) note(`cookie ${name}`, value)
  const good = await idp.jwt(ada)
  note('login token', good.fields.jwt ?? '')
  t.equal((await place.newAgent().postCrossSite(good.path, good.fields)).status, 303)
  const replayed = await place.newAgent().postCrossSite(good.path, good.fields)
  t.equal(replayed.reason, 'jwt.replayed')
  references.push(replayed.reference ?? '')
  const unknown = await idp.jwt('eve@example.com')
  note('refused token', unknown.fields.jwt ?? '')
  references.push((await place.newAgent().postCrossSite(unknown.path, unknown.fields)).reference ?? '')
  const broken = `${good.fields.jwt?.slice(0, -6)}AAAAAA`
  note('broken token', broken)
  references.push((await place.newAgent().postCrossSite(good.path, { jwt: broken })).reference ?? '')
  const assertion = idp.saml(ada).fields.SAMLResponse ?? ''
  note('assertion', assertion)
  references.push((await place.newAgent().postCrossSite('/auth/saml/acs', { SAMLResponse: assertion })).reference ?? '')

  for (const token of [place.token(), place.token({ email: 'eve@example.com' }), `${place.token()}AAAA`]) {
    note(`bearer ${secrets.size}`, token)
    await place.bearer(token)
    await place.call({ 'x-odd': token }, `/auth/none?token=${token}`)
  }

  const post = (path: string, bearer: string, body: object) =>
    fetch(gateway.opsUrl + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  note('wrong admin token', 'a-guess-of-the-admin-token')
  t.equal((await post('/api/reload', 'a-guess-of-the-admin-token', {})).status, 401)
  const made = await post('/api/breakglass', adminToken, { agent: ada, reason: 'a test' })
  t.equal(made.status, 200)
  const { url } = (await made.json()) as { url: string }
  const path = new URL(url).pathname
  const token = path.split('/').at(-1) ?? ''
  note('link', token)
  const spellings = [path, path.replace('/auth/b', '/auth//b'), path.replace('break', '%62reak'), `${path}/more`]
  for (const spelling of [...spellings, path.replace('s/', 's%2F'), path.replace('s/', 's%252F')]) {
    await place.newAgent().visit(spelling)
  }
  const called = place.newAgent()
  t.equal((await called.send(path)).status, 303)
  for (const { name, value } of called.cookies) note(`break-glass cookie ${name}`, value)
  references.push((await place.newAgent().send(path)).reference ?? '')

  const headers = { authorization: `Bearer ${adminToken}` }
  const told = await Promise.all(
    [...references.map(one => `/api/logins/${one}`), '/api/sessions', '/metrics', '/ready'].map(async one =>
      (await fetch(gateway.opsUrl + one, { headers })).text(),
    ),
  )
  const said = [...gateway.lines, ...(await gateway.audit())].map(line => JSON.stringify(line)).concat(told)
  t.ok(said.length > 30)
  for (const [what, value] of secrets) {
    if (value === '') continue
    // A part of it says as much: a signature, or what lies between two dots.
    const parts = [value, ...value.split('.')].filter(part => part.length >= 16 && !value.startsWith(`${part}.`))
    t.same(
      said.filter(line => parts.some(part => line.includes(part))).map(line => line.slice(0, 300)),
      [],
      what,
    )
  }
})
