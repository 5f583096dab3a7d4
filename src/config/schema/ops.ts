// What the operator sees: the ops listener, the log, the audit log.

import * as z from 'zod'
import { address, type ConfigReader, says, secret, text, url } from './values.js'

export const ops = (read: ConfigReader) =>
  z
    .strictObject({
      listen: address()
        .default('127.0.0.1:9090')
        .meta({ description: 'Where /live, /ready, /metrics and the API are.' }),
      probes: address()
        .nullable()
        .default(null)
        .meta({ description: 'A second listener with only /live, /ready and /metrics.', examples: ['0.0.0.0:9091'] }),
      adminToken: secret(read)
        .optional()
        .meta({ description: 'Opens the API; without it the API is 404.', examples: [{ file: 'token' }] }),
    })
    .prefault({})
    .meta({ description: 'The ops listener.' })

export const log = () =>
  z
    .strictObject({
      level: z
        .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default('info')
        .meta({ description: 'The lowest level that is logged.' }),
      access: z.boolean().default(true).meta({ description: 'One line per request.' }),
    })
    .prefault({})
    .meta({ description: 'The log, JSON lines on stdout.' })

const place = (read: ConfigReader) => text().transform(to => (to === 'stdout' ? to : read.path(to)))

export const audit = (read: ConfigReader) =>
  z
    .strictObject({
      to: z
        .union([place(read), z.array(place(read)).min(1)], {
          error: says('invalid destination', 'stdout, a file, or a list'),
        })
        .transform(to => [to].flat())
        .prefault('stdout')
        .meta({ description: 'stdout, a file, or several of them.', examples: [['stdout', 'audit.log']] }),
    })
    .prefault({})
    .meta({ description: 'The audit log.' })

export const tracing = () =>
  z
    .strictObject({
      otlp: url()
        .refine(
          value => !URL.canParse(value) || new URL(value).username + new URL(value).password === '',
          says('contains a user name', 'put the credentials for the collector into $OTEL_EXPORTER_OTLP_HEADERS'),
        )
        .nullable()
        .default(null)
        .meta({
          description: 'The collector, by OTLP over HTTP; without a path, /v1/traces. null: off.',
          examples: ['http://127.0.0.1:4318'],
        }),
      sample: z.number().min(0).max(1).default(0.01).meta({
        description: 'The share of requests that are traced; a trusted proxy that sends traceparent decides itself.',
      }),
    })
    .prefault({})
    .meta({ description: 'OpenTelemetry spans of requests, logins, store and directory, and the way to Desk.' })

export const admin = () =>
  z
    .strictObject({
      roles: z
        .array(text())
        .default([])
        .meta({
          description:
            'Agents to whom a source of agents gives one of these roles may open it; []: off. While it is on, Desk has no service workers.',
          examples: [['supervisor']],
        }),
    })
    .prefault({})
    .meta({
      description:
        'The session desk at /auth/admin: live sessions, refused logins with their checks, and the state of providers, agents and store.',
    })
