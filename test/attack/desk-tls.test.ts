// An agent's identity goes to Desk and to nobody who merely answers at its address.

import { get as httpsGet } from 'node:https'
import t from 'tap'
import { createAuthority } from '../parts/certificates.js'
import { agree, startDesk } from '../parts/desk.js'
import { startProxy } from '../parts/proxy-server.js'
import { rawRequest, sendRaw } from '../parts/raw-http.js'
import { missingParts } from '../parts/required-parts.js'

const handshake = [
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
]

t.test('Desk over TLS', { skip: missingParts('openssl') }, async t => {
  const authority = await createAuthority()
  const stranger = await createAuthority('Somebody else')
  t.teardown(async () => {
    await authority.remove()
    await stranger.remove()
  })

  const cases = {
    'a certificate for another name': { leaf: await authority.issue(['elsewhere.test']), status: 502 },
    'a certificate for the public name, which every request carries as Host': {
      leaf: await authority.issue(['desk.example.com']),
      status: 502,
    },
    'a certificate that has ended': { leaf: await authority.issue(['127.0.0.1'], { days: -1 }), status: 502 },
    "somebody else's certificate": { leaf: await stranger.issue(['127.0.0.1']), status: 502 },
    'the right certificate': { leaf: await authority.issue(['127.0.0.1']), status: 200 },
    'the right certificate for the name that is set': {
      leaf: await authority.issue(['desk.test']),
      status: 200,
      serverName: 'desk.test',
    },
    'a certificate for the address where another name is set': {
      leaf: await authority.issue(['127.0.0.1']),
      status: 502,
      serverName: 'desk.test',
    },
  }
  for (const [why, { leaf, status, ...more }] of Object.entries(cases)) {
    const desk = await startDesk(leaf)
    desk.onUpgrade((request, socket) => agree(request, socket))
    const tls = { ca: authority.certFile, ...more }
    const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { tls } } })
    const mine = `Cookie: ${(await proxy.logIn()).cookie}`
    t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [mine]))).status, status, why)
    const socket = await sendRaw(proxy.port, ['GET /ws HTTP/1.1', 'Host: x', mine, ...handshake, '', ''].join('\r\n'))
    t.equal(socket.status, status === 200 ? 101 : 502, `${why}, WebSocket`)
    t.equal(desk.seen.length, status === 200 ? 2 : 0, `${why}: ${status === 200 ? 'served' : 'nothing was sent'}`)
    if (status === 200) t.strictSame(desk.seen[0]?.all('host'), ['desk.example.com'])
    await proxy.close()
    await desk.close()
  }

  t.test('without an authority of its own, only those of the system count', async t => {
    const desk = await startDesk(await authority.issue(['127.0.0.1']))
    const proxy = await startProxy({ deskUrl: desk.url })
    const mine = `Cookie: ${(await proxy.logIn()).cookie}`
    t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [mine]))).status, 502)
    t.equal(desk.seen.length, 0)
    await proxy.close()
    await desk.close()
  })

  t.test('a Desk that wants a client certificate gets ours', async t => {
    const leaf = await authority.issue(['127.0.0.1'])
    const client = await authority.issue(['gateway.test'])
    const desk = await startDesk({ ...leaf, ca: authority.cert, requestCert: true, rejectUnauthorized: true })
    const tls = { ca: authority.certFile, cert: client.certFile, key: client.keyFile }
    const proxy = await startProxy({ deskUrl: desk.url, settings: { desk: { tls } } })
    const mine = `Cookie: ${(await proxy.logIn()).cookie}`
    t.equal((await sendRaw(proxy.port, rawRequest('GET /x HTTP/1.1', [mine]))).status, 200)
    await t.rejects(
      new Promise((resolve, reject) => httpsGet(desk.url, { ca: authority.cert }, resolve).on('error', reject)),
      'who has none does not get in',
    )
    await proxy.close()
    await desk.close()
  })
})
