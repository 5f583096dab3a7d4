// Desk, the help desk behind the gateway.

import * as z from 'zod'
import { type ConfigReader, clientTls, cookieName, duration, off, origin, says } from './values.js'

/** "[METHOD ]/path[*]": * only at the end, GET means HEAD too, the query is never matched. */
export const pathRule = () => {
  const wrong = says('invalid path rule', 'such as "GET /assets/*": * only at the end, no query, no escapes')
  return z.string(wrong).regex(/^([A-Z]{1,20} )?\/[^\s*?#%;\\]*\*?$/, wrong)
}

/** A request as its first line names it, without the version. */
export const accessRequest = () => {
  const wrong = says('invalid request', 'such as "GET /admin/users": a method, and a path as the browser sends it')
  return z
    .string(wrong)
    .regex(/^[A-Z]{1,20} \/[!-~]*$/, wrong)
    .max(2000, wrong)
}

/** The same, or with a pair of the query that has to be there: "GET /?@action=logout". */
const logoutPath = () => {
  const wrong = says('invalid path rule', 'such as "GET /logout" or "GET /?@action=logout": one name=value, no escapes')
  return z.string(wrong).regex(/^([A-Z]{1,20} )?\/[^\s*?#%;\\]*\*?(\?[^\s=&;#%]+=[^\s&;#%]*)?$/, wrong)
}

const logoutRule = () =>
  z.union([logoutPath(), z.strictObject({ cookie: cookieName() })], {
    error: says('invalid logout rule', '"GET /logout", "GET /?@action=logout" or { cookie: NAME }'),
  })

/** A logout in Desk: its path, or the cookie that Desk's response expires. */
export type DeskLogoutRule = z.output<ReturnType<typeof logoutRule>>

export const desk = (read: ConfigReader) =>
  z
    .strictObject({
      url: origin('http://desk.internal:3000').meta({
        description: 'The origin of Desk, as this host reaches it.',
        examples: ['http://desk.internal:3000'],
      }),
      host: z
        .enum(['public', 'upstream'])
        .default('public')
        .meta({ description: "The Host that Desk sees: publicUrl's, or that of desk.url." }),
      tls: clientTls(read)
        .optional()
        .meta({
          description: 'For an https desk.url; its certificate is always verified.',
          examples: [{ ca: 'ca.pem', cert: 'desk-client.crt', key: 'desk-client.key', serverName: 'desk' }],
        }),
      timeout: duration('1ms', '24h')
        .prefault('60s')
        .meta({ description: 'How long Desk may take to send its response headers.' }),
      connections: z.int().min(1).max(65_536).default(256).meta({
        description:
          'The most connections of a process that wait for the head of a response from Desk. One session, or one address without a session, gets a quarter; a request that waits for more than 10 seconds gets 503.',
      }),
      longAnswers: z.int().min(1).max(1_000_000).default(4096).meta({
        description:
          'The most responses from Desk that continue after their head: event streams, downloads, WebSockets. One session, or one address without a session, gets a quarter.',
      }),
      public: z
        .array(pathRule())
        .default([])
        .meta({
          description:
            'Requests that pass without a session and without identity: "[METHOD ]/path[*]", * only at the end. GET means HEAD too; the query is never matched.',
          examples: [['GET /assets/*']],
        }),
      methodOverride: off(
        'Passes X-HTTP-Method-Override and similar headers, which give Desk a different method from the one that access.paths has checked.',
      ),
      logout: z
        .array(logoutRule())
        .default([])
        .meta({
          description:
            "Requests of Desk's own pages that log the agent out: after Desk has answered one, the session ends as with the gateway's own logout. A query names one pair that has to be there; { cookie: NAME } means that the response expires that cookie. Every login and logout also expires this cookie in the browser, so that Desk does not mistake the next agent for the previous one.",
          examples: [['GET /logout', 'GET /?@action=logout', { cookie: '_desk_session' }]],
        }),
    })
    .meta({ description: 'The help desk behind the gateway.' })
