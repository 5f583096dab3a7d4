// The helm test: is the gateway ready, and is somebody without a session stopped? GATEWAY, PROBES: origins; LOGIN: the
// path of the login page.

import * as http from 'node:http'
import * as https from 'node:https'

// A path that no rule of desk.public names: Desk's front page may well be open to all.
const PATH = '/deskgate-helm-test'
const { GATEWAY, PROBES, LOGIN } = process.env

/** The certificate is publicUrl's, not the Service's, and nothing secret is sent: it is not looked at. */
const ask = (url, headers = {}) =>
  new Promise((resolve, reject) => {
    const { get } = url.startsWith('https:') ? https : http
    const request = get(url, { headers, rejectUnauthorized: false, timeout: 10_000 }, answer => {
      answer.resume()
      resolve(answer)
    })
    request.on('timeout', () => request.destroy(new Error('no answer within 10 seconds')))
    request.on('error', reject)
  })

const expect = (what, is, wanted) => {
  if (!wanted(is)) throw new Error(`${what}: ${is}`)
  process.stdout.write(`${what}: ${is}\n`)
}

try {
  expect('ready', (await ask(`${PROBES}/ready`)).statusCode, status => status === 200)
  const program = await ask(GATEWAY + PATH, { accept: 'application/json' })
  expect('a program without a session', program.statusCode, status => status === 401)
  expect('its challenge', program.headers['www-authenticate'], challenge => challenge?.startsWith('Deskgate'))
  const person = await ask(GATEWAY + PATH, { accept: 'text/html' })
  expect('a person without a session', person.statusCode, status => status === 302)
  expect('is sent to', person.headers.location, to => to?.includes(LOGIN))
} catch (error) {
  process.stderr.write(`failed: ${error.message}\n`)
  process.exitCode = 1
}
