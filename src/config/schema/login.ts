// The login page.

import * as z from 'zod'

export const site = () =>
  z
    .string()
    .min(1)
    .max(1024)
    .optional()
    .meta({ description: 'Default SAML SP entity ID; default: the host of publicUrl.', examples: ['mysite'] })

export const login = () =>
  z
    .strictObject({
      chooser: z
        .enum(['auto', 'always'])
        .default('auto')
        .meta({ description: 'auto: straight to the IdP when there is one way in, else the page; always: the page.' }),
      alsoAllowDeskAuthentication: z
        .union(
          [
            z.literal(false),
            z.strictObject({
              paths: z.array(z.string()).min(1),
              whoami: z.string(),
              email: z.string(),
              cookie: z.string(),
            }),
          ],
          { error: 'is neither false nor { paths, whoami, email, cookie }' },
        )
        .default(false)
        .meta({
          description: 'Offer Desk\'s own login beside "Login with X".',
          examples: [{ paths: ['/login', '/login/*'], whoami: '/api/v2/me', email: '/email', cookie: '_desk_session' }],
        }),
    })
    .prefault({})
    .meta({ description: 'The login page.' })
