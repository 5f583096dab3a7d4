// What `deskgate breakglass`, and every command that asks a gateway, says when it cannot ask anybody.

import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { access } from '../../src/cli/commands/access.js'
import { breakglass } from '../../src/cli/commands/breakglass.js'
import { check } from '../../src/cli/commands/check.js'
import { explain } from '../../src/cli/commands/explain.js'
import { listSessions, revokeSessions } from '../../src/cli/commands/sessions.js'
import type { Io } from '../../src/cli/io.js'
import { jwtProvider, settings } from '../parts/configuration.js'
import { writeConfiguration } from '../parts/gateway.js'

t.test('an --ops that is not an address is said with what to give instead', async t => {
  const io = { env: { DESKGATE_ADMIN_TOKEN: 'a token' }, out: () => {}, err: () => {} }
  for (const ops of ['gateway', 'localhost:9090', '']) {
    const order = { agent: 'ana@example.com', reason: 'a test', minutes: '30', ops }
    await t.rejects(breakglass(order, io), { message: /--ops takes the URL of the ops listener/ }, ops)
  }
})

t.test('a 401 of something else than the ops API is not taken for a refused token', async t => {
  const answers = [
    [
      { 'content-type': 'application/json' },
      /what answers at http:\/\/127\.0\.0\.1:\d+ is not the ops API.*ops\.listen with --ops/,
    ],
    [
      { 'content-type': 'application/problem+json', 'www-authenticate': 'Bearer' },
      /the gateway refuses the admin token: compare it with ops\.adminToken/,
    ],
  ] as const
  for (const [headers, message] of answers) {
    const server = createServer((_, response) => response.writeHead(401, headers).end('{}'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const told: string[] = []
    const io = { env: { DESKGATE_ADMIN_TOKEN: 'a token' }, out: () => {}, err: (line: string) => void told.push(line) }
    const ops = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    await t.rejects(listSessions({ ops }, io), { message })
    t.equal(await breakglass({ agent: 'ana@example.com', reason: 'a test', minutes: '30', ops }, io), 1)
    t.match(told, [message])
    server.close()
  }
})

t.test('a token that is missing is said with where to put it', async t => {
  const told: string[] = []
  const io = { env: {}, out: () => {}, err: (line: string) => void told.push(line) }
  const config = '/nonexistent/deskgate.yaml'
  t.equal(await listSessions({ ops: 'http://127.0.0.1:1', config }, io), 1)
  t.match(told, [/deskgate\.yaml:1:1 \(file\)/, /the admin token has to be in \$DESKGATE_ADMIN_TOKEN/])
})

t.test('commands that only ask a gateway do not repeat the warnings of its configuration', async t => {
  const { requireState: _, ...careless } = jwtProvider
  const ops = { listen: '127.0.0.1:1', adminToken: 'an-admin-token-that-is-long-enough-for-it' }
  const { file: config, folder } = await writeConfiguration(settings({ providers: [careless], ops }))
  t.teardown(() => rm(folder, { recursive: true }))
  const toldBy = async (command: (io: Io) => Promise<number>) => {
    const told: string[] = []
    const io = { env: {}, out: (line: string) => void told.push(line), err: (line: string) => void told.push(line) }
    await command(io).catch((error: Error) => void told.push(error.message))
    return told.join('\n')
  }
  t.match(await toldBy(io => check({ config }, io)), /requireState/, 'check tells them')
  const commands: { [name: string]: (io: Io) => Promise<number> } = {
    'sessions list': io => listSessions({ config }, io),
    'sessions revoke': io => revokeSessions({ config, agent: 'ana@example.com' }, io),
    explain: io => explain('7KQ2M-XW9PA', { config }, io),
    breakglass: io => breakglass({ config, agent: 'ana@example.com', reason: 'a test', minutes: '30' }, io),
    access: io => access({ email: 'ana@example.com' }, { config }, io),
  }
  for (const [name, command] of Object.entries(commands)) {
    const told = await toldBy(command)
    t.match(told, /127\.0\.0\.1:1/, `${name} has tried to ask`)
    t.notMatch(told, /requireState|warning/, name)
  }
})
