// The helm test: is every pod ready, with the configuration of now, and is somebody without a session stopped? GATEWAY,
// PROBES: origins; LOGIN: the path of the login page.

import { lookup } from 'node:dns/promises'
import * as http from 'node:http'
import * as https from 'node:https'

// A path that no rule of desk.public names: Desk's front page may well be open to all.
const PATH = '/deskgate-helm-test'
const { GATEWAY, PROBES, LOGIN } = process.env

/** The certificate is publicUrl's, not the Service's, and nothing secret is sent: it is not looked at. */
const ask = (url, headers = {}) =>
  new Promise((resolve, reject) => {
    const { get } = url.protocol === 'https:' ? https : http
    const request = get(url, { headers, rejectUnauthorized: false, timeout: 10_000 }, async answer => {
      let body = ''
      for await (const text of answer.setEncoding('utf8')) body += text
      resolve({ status: answer.statusCode, headers: answer.headers, body })
    })
    request.on('timeout', () => request.destroy(new Error(`${url}: no answer within 10 seconds`)))
    request.on('error', reject)
  })

const expect = (what, is, wanted) => {
  if (!wanted(is)) throw new Error(`${what}: ${is}`)
  process.stdout.write(`${what}: ${is}\n`)
}

/** The Service of the probes has no address of its own: its name leads to every pod. */
const pods = async () => {
  const { hostname, port } = new URL(PROBES)
  const found = await lookup(hostname, { all: true })
  return found.map(({ address, family }) => new URL(`http://${family === 6 ? `[${address}]` : address}:${port}/ready`))
}

try {
  for (const url of await pods()) {
    const { status, body } = await ask(url)
    const { state, config, problems } = JSON.parse(body)
    // One that has been replaced is on its way out.
    if (state === 'draining') continue
    expect(`${url.host} is ready`, status, status => status === 200)
    const of = problems ? ` (${problems.join('; ')})` : ''
    expect(`${url.host} has the configuration`, config + of, () => config === 'current')
  }
  const program = await ask(new URL(PATH, GATEWAY), { accept: 'application/json' })
  expect('a program without a session', program.status, status => status === 401)
  expect('its challenge', program.headers['www-authenticate'], challenge => challenge?.startsWith('Deskgate'))
  const person = await ask(new URL(PATH, GATEWAY), { accept: 'text/html' })
  expect('a person without a session', person.status, status => status === 302)
  expect('is sent to', person.headers.location, to => to?.includes(LOGIN))
} catch (error) {
  process.stderr.write(`failed: ${error.message}\n`)
  process.exitCode = 1
}
