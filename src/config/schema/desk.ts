// Desk, the help desk behind the gateway.

import * as z from 'zod'
import { clientTls, duration, type Reader } from './values.js'

/** "[METHOD ]/path[*]": * only at the end, GET means HEAD too, the query is never matched. */
export const pathRule = () =>
  z
    .string()
    .regex(
      /^([A-Z]{1,20} )?\/[^\s*?#%;\\]*\*?$/,
      'a rule such as "GET /assets/*": * only at the end, no query, no escapes',
    )

export const desk = (read: Reader) =>
  z
    .strictObject({
      url: z
        .url({ protocol: /^https?$/, error: 'an origin such as http://desk.internal:3000' })
        .refine(value => new URL(value).origin === value.replace(/\/$/, ''), 'an origin without path, query or user')
        .transform(value => new URL(value).origin)
        .meta({ description: 'The origin of Desk, as this host reaches it.', examples: ['http://desk.internal:3000'] }),
      host: z
        .enum(['public', 'upstream'])
        .default('public')
        .meta({ description: "The Host that Desk sees: publicUrl's, or that of desk.url." }),
      tls: clientTls(read)
        .optional()
        .meta({ description: 'For an https desk.url; its certificate is always verified.' }),
      timeout: duration()
        .default(60_000)
        .meta({ description: 'How long Desk may take until its response headers.', shown: '60s' }),
      public: z
        .array(pathRule())
        .default([])
        .meta({ description: 'Passed without a session and without identity.', examples: [['GET /assets/*']] }),
      logout: z
        .array(pathRule())
        .default([])
        .meta({
          description: 'After Desk has answered such a request, the session ends too.',
          examples: [['GET /logout']],
        }),
    })
    .meta({ description: 'The help desk behind the gateway.' })
