// What is not built yet is refused, so that nobody believes in it; its default, written out, is not.

import t from 'tap'
import { laterKeys } from '../../src/config/later.js'
import { jwtProvider, said, samlProvider, settings } from '../parts/configuration.js'

type Settings = Record<string, unknown>

const saml = (changes: Settings) => settings({ providers: [{ ...samlProvider, ...changes }] })
const jwt = (changes: Settings) => settings({ providers: [{ ...jwtProvider, ...changes }] })
const desk = (changes: Settings) => settings({ desk: { url: 'http://desk.internal:3000', ...changes } })
const http = { url: 'http://desk.internal:3000/users', map: { email: '/email' } }

/** By key: something to ask for, and the default written out. */
const rows: Record<string, { asked: Settings; at?: string; usual?: Settings }> = {
  workers: { asked: settings({ workers: 2 }), usual: settings({ workers: 1 }) },
  'desk.logout': { asked: desk({ logout: ['GET /logout'] }), usual: desk({ logout: [] }) },
  'providers[].bearer': { asked: jwt({ bearer: true }), usual: jwt({ bearer: false }) },
  'providers[].bearerAudience': { asked: jwt({ bearerAudience: 'api' }) },
  'providers[].bearerPassThrough': {
    asked: jwt({ bearerPassThrough: true }),
    usual: jwt({ bearerPassThrough: false }),
  },
  'providers[].allow': {
    asked: jwt({ allow: { roles: ['agent'] } }),
    usual: saml({ allow: { roles: [], domains: [] } }),
  },
  'agents[].http': { asked: settings({ agents: [{ domains: ['example.com'] }, { http }] }), at: 'agents[1].http' },
  'access.paths': {
    asked: settings({ access: { paths: [{ match: '/admin/*', roles: ['admin'] }] } }),
    usual: settings({ access: { paths: [] } }),
  },
}

t.test('every key of the table is tried', async t => {
  t.same([...laterKeys].sort(), Object.keys(rows).sort())
})

for (const [key, { asked, usual, at = key.replace('[]', '[0]') }] of Object.entries(rows)) {
  t.test(`${key} is refused, and its default is not`, async t => {
    const found = said(asked, { files: { 'a.crt': '' } })
    t.ok(found.includes(`${at}: is not supported yet`), found.join('\n'))
    if (usual) t.same(said(usual), [])
  })
}
