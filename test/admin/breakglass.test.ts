// What `deskgate breakglass` says when it cannot ask anybody.

import t from 'tap'
import { breakglass } from '../../src/admin/breakglass.js'

t.test('an --ops that is no address is said with what to give instead', async t => {
  const io = { env: { DESKGATE_ADMIN_TOKEN: 'a token' }, out: () => {}, err: () => {} }
  for (const ops of ['gateway', 'localhost:9090', '']) {
    const order = { agent: 'ana@example.com', reason: 'a test', minutes: '30', ops }
    await t.rejects(breakglass(order, io), { message: /--ops takes the URL of the ops listener/ }, ops)
  }
})
