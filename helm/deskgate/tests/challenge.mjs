// The helm test: is every pod ready, with the configuration of now, and is somebody without a session stopped? GATEWAY,
// PROBES, ANY_POD: origins; LOGIN: the path of the login page.

import { lookup } from 'node:dns/promises'
import * as http from 'node:http'
import * as https from 'node:https'

// A path that no rule of desk.public names: Desk's front page may well be open to all.
const PATH = '/deskgate-helm-test'
const { GATEWAY, PROBES, ANY_POD, LOGIN } = process.env

/** The certificate is publicUrl's, not the Service's, and nothing secret is sent: it is not looked at. */
const ask = (url, headers = {}) =>
  new Promise((resolve, reject) => {
    const { get } = url.protocol === 'https:' ? https : http
    const options = { headers, rejectUnauthorized: false, timeout: 10_000, agent: false }
    const request = get(url, options, async answer => {
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

/** By the variable that Kubernetes sets for each Service with an address. */
const serviceAddress = name => {
  const address = process.env[`${name.toUpperCase().replaceAll('-', '_')}_SERVICE_HOST`]
  return address ? [{ address, family: address.includes(':') ? 6 : 4 }] : []
}

/** By the cluster's DNS; where there is none, by the variable. Empty when neither knows it. */
const addresses = name => lookup(name, { all: true }).catch(() => serviceAddress(name))

const at = (origin, { address, family }, path) => {
  const url = new URL(path, origin)
  url.hostname = family === 6 ? `[${address}]` : address
  return url
}

/** The Service of the probes has no address of its own: its name leads to every pod. Without DNS: many times to any pod. */
const pods = async () => {
  const found = await addresses(new URL(PROBES).hostname)
  if (found.length > 0) return found.map(address => at(PROBES, address, '/ready'))
  process.stdout.write('the cluster has no DNS: asking any pod, twenty times\n')
  const [any] = serviceAddress(new URL(ANY_POD).hostname)
  if (!any) throw new Error(`${ANY_POD}: unknown host`)
  return Array.from({ length: 20 }, () => at(ANY_POD, any, '/ready'))
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
  const { hostname } = new URL(GATEWAY)
  const [gateway] = await addresses(hostname)
  if (!gateway) throw new Error(`${hostname}: unknown host`)
  const program = await ask(at(GATEWAY, gateway, PATH), { accept: 'application/json' })
  expect('a program without a session', program.status, status => status === 401)
  expect('its challenge', program.headers['www-authenticate'], challenge => challenge?.startsWith('Deskgate'))
  const person = await ask(at(GATEWAY, gateway, PATH), { accept: 'text/html' })
  expect('a person without a session', person.status, status => status === 302)
  expect('is sent to', person.headers.location, to => to?.includes(LOGIN))
} catch (error) {
  process.stderr.write(`failed: ${error.message}\n`)
  process.exitCode = 1
}
