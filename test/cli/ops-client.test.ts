// What `deskgate breakglass`, and every command that asks a gateway, says when it cannot ask anybody.

import t from 'tap'
import { breakglass } from '../../src/cli/commands/breakglass.js'
import { listSessions } from '../../src/cli/commands/sessions.js'

t.test('an --ops that is not an address is said with what to give instead', async t => {
  const io = { env: { DESKGATE_ADMIN_TOKEN: 'a token' }, out: () => {}, err: () => {} }
  for (const ops of ['gateway', 'localhost:9090', '']) {
    const order = { agent: 'ana@example.com', reason: 'a test', minutes: '30', ops }
    await t.rejects(breakglass(order, io), { message: /--ops takes the URL of the ops listener/ }, ops)
  }
})

t.test('a token that is missing is said with where to put it', async t => {
  const told: string[] = []
  const io = { env: {}, out: () => {}, err: (line: string) => void told.push(line) }
  const config = '/nonexistent/deskgate.yaml'
  t.equal(await listSessions({ ops: 'http://127.0.0.1:1', config }, io), 1)
  t.match(told, [/deskgate\.yaml:1:1 \(file\)/, /the admin token has to be in \$DESKGATE_ADMIN_TOKEN/])
})
