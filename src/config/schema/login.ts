// The login page.

import * as z from 'zod'
import { pointerShape } from '../../core/json-pointer.js'
import { pathRule } from './desk.js'
import { cookieName, duration, off, says, size, text } from './values.js'

export const site = () =>
  text()
    .max(1024)
    .optional()
    .meta({
      description: 'The SAML SP entity ID of providers without entityId; default: the host of publicUrl.',
      examples: ['mysite'],
    })

/** A path of Desk that is requested exactly as written. */
const plainPath = () => {
  const wrong = says('invalid path', 'such as /api/v2/me: no host, no fragment')
  return z.string(wrong).regex(/^\/(?!\/)[!-"$-[\]-~]*$/, wrong)
}

/** A page of Desk, whatever its query. */
const pagePath = () => {
  const wrong = says('invalid path', 'such as /login: no host, no query, no escapes')
  return z.string(wrong).regex(/^\/(?!\/)[^\s*?#%;\\]*$/, wrong)
}

const deskLogin = () =>
  z.strictObject({
    paths: z.array(pathRule()).min(1, says('names no path', "the paths of Desk's login page and its form")).meta({
      description:
        "The paths of Desk's own login, written as in desk.public: passed without a session. The first is the login page.",
    }),
    whoami: plainPath().meta({
      description:
        'The path in Desk that says who is logged in. The gateway calls it with the cookie of a new Desk login; Desk answers with JSON, or with 401 if nobody is logged in.',
    }),
    email: z
      .string()
      .regex(pointerShape, says('invalid JSON pointer', 'such as /email or /user/email'))
      .meta({ description: 'JSON pointer (RFC 6901) to the e-mail address in that answer.' }),
    cookie: cookieName().meta({ description: "The name of Desk's session cookie." }),
  })

const keepPost = () =>
  z
    .strictObject({
      size: size('1kb', '32mb').prefault('1mb').meta({ description: 'The longest form that is kept.' }),
      for: duration('1m', '24h').prefault('10m').meta({
        description:
          'How long a form is kept, and how long after sessions.lifetime a form of that session is still accepted.',
      }),
      total: size('64kb', '1024mb')
        .prefault('64mb')
        .meta({ description: 'All kept forms together, on all replicas; one session gets a quarter.' }),
      files: off('true: forms with attached files are kept too.'),
    })
    .nullable()
    .prefault({ size: '1mb', for: '10m', total: '64mb', files: false })
    .meta({
      description:
        'Keep a form that an agent sends after the session has ended, to be sent after the login; null: it is lost.',
    })

export type LoginSettings = z.output<ReturnType<typeof deskLogin>>

export const login = () =>
  z
    .strictObject({
      chooser: z.enum(['auto', 'always']).default('auto').meta({
        description: 'auto: straight to the IdP if there is only one way to log in, else the page; always: the page.',
      }),
      keepFragment: z.boolean().default(true).meta({
        description:
          'Keep what comes after # in an address across a login, at most 300 bytes: browsers load one small extra page.',
      }),
      deskLoginPaths: z.array(pagePath()).default(['/login', '/login/new']).meta({
        description: "Desk's own login pages: an agent who began there returns to / and not to that page.",
      }),
      keepPost: keepPost(),
      alsoAllowDeskAuthentication: z
        .union([z.literal(false), deskLogin()], { error: 'must be false or { paths, whoami, email, cookie }' })
        .default(false)
        .meta({
          description: 'Offer Desk\'s own login beside "Log in with X".',
          examples: [{ paths: ['/login', '/login/*'], whoami: '/api/v2/me', email: '/email', cookie: '_desk_session' }],
        }),
    })
    .prefault({})
    .meta({ description: 'The login page.' })
