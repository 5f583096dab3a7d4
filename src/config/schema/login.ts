// The login page.

import * as z from 'zod'

export const site = () =>
  z.string().min(1).optional().meta({ description: 'Default SAML SP entity ID; default: the host of publicUrl.' })

export const login = () =>
  z
    .strictObject({
      chooser: z
        .enum(['auto', 'always'])
        .default('auto')
        .meta({ description: 'auto: straight to the IdP when there is one way in, else the page; always: the page.' }),
      alsoAllowDeskAuthentication: z
        .union([
          z.literal(false),
          z.strictObject({
            paths: z.array(z.string()).min(1),
            whoami: z.string(),
            email: z.string(),
            cookie: z.string(),
          }),
        ])
        .default(false)
        .meta({ description: 'Offer Desk\'s own login beside "Login with X".' }),
    })
    .prefault({})
    .meta({ description: 'The login page.' })
