// The guard and activity: which requests keep a session alive.

import type { IncomingMessage } from 'node:http'
import t from 'tap'
import type { Session } from '../../../src/core/contracts.js'
import { createGuard } from '../../../src/web/access/authenticate.js'
import { createCookies } from '../../../src/web/request/cookies.js'
import { createPaths } from '../../../src/web/request/paths.js'
import { readTarget } from '../../../src/web/request/target.js'

const session = { handle: 'h' } as Session

t.test('sessions.idleIgnore: polling is let in and is no activity; what cannot be read in one way is', async t => {
  const cookies = createCookies({ publicUrl: 'https://desk.example.com', prefix: '/auth' })
  const [name] = cookies.setSession('x'.repeat(43), 'mark')[0]?.split('=') ?? []
  const idleRules = ['/api/poll', 'GET /feed/*']
  const cases: [string, string, boolean][] = [
    ['GET', '/api/poll', false],
    ['POST', '/api/poll?since=7', false],
    ['GET', '/api/%70oll', false],
    ['GET', '/api/polls', true],
    ['GET', '/feed/a', false],
    ['HEAD', '/feed/a', false],
    ['POST', '/feed/a', true],
    ['GET', '/feed/a;x', true],
    ['GET', '/', true],
  ]
  for (const known of [true, false]) {
    for (const [method, url, active] of cases) {
      let touched = 0
      const sessions = {
        peek: () => (known ? session : undefined),
        read: async () => session,
        touch: () => {
          touched++
        },
      }
      const guard = createGuard({
        paths: createPaths('/auth'),
        publicRules: [],
        authorize: () => true,
        idleRules,
        cookies,
        sessions,
        handleOf: () => 'h',
      })
      const request = { method, url, rawHeaders: ['Cookie', `${name}=${'x'.repeat(43)}`] } as IncomingMessage
      const target = readTarget(url)
      if (!target) throw new Error('no target')
      t.equal(await guard.authenticate(request, target), session)
      t.equal(touched, active ? 1 : 0, `${method} ${url}`)
    }
  }
})
