// What `deskgate init` has to know. Each question has a flag; what is not given is asked, where there is a terminal.

import { createInterface } from 'node:readline/promises'
import ipaddr from 'ipaddr.js'
import * as z from 'zod'
import { createReader } from '../../config/reader.js'
import { isCleartext } from '../../config/rules/gateway.js'
import { address, origin, url, urlOrFile } from '../../config/schema/values.js'
import { canonicalEmail } from '../../core/email.js'
import type { Io } from '../io.js'

export interface InitAnswers {
  publicUrl: string
  deskUrl: string
  provider: 'saml' | 'jwt'
  name: string
  metadata?: string
  loginUrl?: string
  jwks?: string
  audience?: string
  agents: string
  store: string
  proxy: string
  listen: string
}
type Given = Partial<Record<keyof InitAnswers, string>>

interface Question {
  key: keyof InitAnswers
  flag: string
  text: string
  valid: z.ZodType
  /** What Enter means; without it an answer is needed. */
  otherwise?: (given: Given) => string
  /** Not asked, and not allowed, unless it holds. */
  when?: (given: Given) => boolean
}

const line = (most: number) =>
  z.string().regex(new RegExp(`^[^\\p{C}\\p{Zl}\\p{Zp}]{1,${most}}$`, 'u'), 'one line of text')
const source = () => urlOrFile(createReader({ folder: '.', env: {} }))
const isSaml = ({ provider }: Given) => provider === 'saml'
const isJwt = ({ provider }: Given) => provider === 'jwt'
const networks = (text: string) => text.split(/[\s,]+/).every(one => ipaddr.isValidCIDR(one))
const emails = (text: string) => text.split(/[\s,]+/).every(one => canonicalEmail(one) !== undefined)
const storeShape = /^(memory|rediss?(\+sentinel|\+cluster)?:\/\/[^\s\p{C}]+)$/u

/** In the order of asking. */
export const questions: readonly Question[] = [
  {
    ...{ key: 'publicUrl', flag: '--public-url <url>' },
    text: 'the address that agents open, such as https://desk.example.com',
    valid: origin('https://desk.example.com').refine(
      one => !isCleartext(one),
      'use https; http is only for localhost and 127.0.0.1',
    ),
  },
  {
    ...{ key: 'deskUrl', flag: '--desk-url <url>' },
    text: 'the address of Desk, as this host reaches it, such as http://127.0.0.1:3000',
    valid: origin('http://127.0.0.1:3000'),
  },
  {
    ...{ key: 'provider', flag: '--provider <type>' },
    text: 'the type of the identity provider: saml or jwt',
    valid: z.enum(['saml', 'jwt'], 'saml or jwt'),
  },
  {
    ...{ key: 'name', flag: '--name <text>' },
    ...{ text: 'the name of the provider: the X of "Log in with X"', valid: line(80), otherwise: () => 'SSO' },
  },
  {
    ...{ key: 'metadata', flag: '--metadata <url or file>', when: isSaml },
    ...{ text: "saml: the provider's metadata, a URL or a file", valid: source() },
  },
  {
    ...{ key: 'loginUrl', flag: '--login-url <url>', when: isJwt },
    ...{ text: 'jwt: the page of the provider that logs agents in (Remote login URL)', valid: url() },
  },
  {
    ...{ key: 'jwks', flag: '--jwks <url or file>', when: isJwt, otherwise: () => '' },
    ...{ text: "jwt: the provider's public keys, a URL or a file; none: a shared secret is created", valid: source() },
  },
  {
    ...{ key: 'audience', flag: '--audience <text>', when: ({ jwks }) => Boolean(jwks) },
    ...{ text: 'jwt with --jwks: the aud that the provider uses for Deskgate', valid: line(200) },
  },
  {
    ...{ key: 'agents', flag: '--agents <emails>' },
    text: 'the first agents: e-mail addresses, separated by commas',
    valid: z.string().refine(emails, 'e-mail addresses, separated by commas'),
  },
  {
    ...{ key: 'store', flag: '--store <store>', otherwise: () => 'memory' },
    text: 'where sessions are kept: memory (one process) or a Redis URL',
    valid: z.string().regex(storeShape, 'memory or a URL such as redis://127.0.0.1:6379/0'),
  },
  {
    ...{ key: 'proxy', flag: '--proxy <cidrs>', otherwise: () => '' },
    text: 'the networks of the proxy in front of Deskgate, such as 10.0.0.0/8; none: there is no proxy',
    valid: z.string().refine(networks, 'CIDRs such as 10.0.0.0/8, separated by commas'),
  },
  {
    ...{ key: 'listen', flag: '--listen <address>', otherwise: listenOf },
    ...{ text: 'where Deskgate listens', valid: address() },
  },
]

/** An http publicUrl is one of this host. */
function listenOf({ publicUrl = '' }: Given): string {
  if (!URL.canParse(publicUrl) || !publicUrl.startsWith('http:')) return '0.0.0.0:8080'
  return `127.0.0.1:${new URL(publicUrl).port || 80}`
}

/** Why an answer cannot be used; never with the answer, which may hold a password. */
function problemOf({ valid }: Question, answer: string): string | undefined {
  const { error } = valid.safeParse(answer)
  return error?.issues[0]?.message.replace('\n', ': ')
}

/** What is optional is shown as "none", so that may be typed too. */
const meantBy = (answer: string, preset: string | undefined) => (answer === 'none' && preset === '' ? '' : answer)

const option = ({ flag }: Question) => flag.split(' ')[0]

/** The answers, or the lines that say why there are none. Problems of flags are found before anything is asked. */
export async function answersOf(given: Given, io: Io): Promise<InitAnswers | { wrong: string[] } | 'stopped'> {
  const answers: Given = { ...given }
  const wrong: string[] = []
  for (const question of questions) {
    const { key, when, otherwise } = question
    const preset = otherwise?.(answers)
    const given = answers[key]
    const answer = given === undefined ? undefined : meantBy(given, preset)
    if (answer !== undefined) answers[key] = answer
    const applies = when?.(answers) ?? true
    if (answer !== undefined && !applies)
      wrong.push(`${option(question)} does not fit the other flags: ${question.text}`)
    const problem = answer === undefined || answer === preset ? undefined : problemOf(question, answer)
    if (problem !== undefined) wrong.push(`${option(question)}: ${problem}`)
    if (answer !== undefined || !applies || io.terminal) continue
    if (preset !== undefined) answers[key] = preset
    else wrong.push(`${option(question)} is missing: ${question.text}`)
  }
  if (wrong.length > 0) return { wrong }
  if (io.terminal && !(await ask(answers, io.terminal, io))) return 'stopped'
  return answers as unknown as InitAnswers
}

/** Asks until each answer can be used. False: the terminal was closed, or Ctrl+C was pressed. */
async function ask(answers: Given, terminal: NonNullable<Io['terminal']>, io: Io): Promise<boolean> {
  const prompt = createInterface(terminal)
  const end = new AbortController()
  prompt.on('SIGINT', () => end.abort()).on('close', () => end.abort())
  try {
    for (const question of questions) {
      const { key, text, when, otherwise } = question
      while (answers[key] === undefined && (when?.(answers) ?? true)) {
        const preset = otherwise?.(answers)
        const shown = preset === undefined ? text : `${text} [${preset || 'none'}]`
        const typed = meantBy((await prompt.question(`${shown}: `, { signal: end.signal })).trim(), preset)
        const problem = typed === '' && preset !== undefined ? undefined : problemOf(question, typed)
        if (problem === undefined) answers[key] = typed || (preset ?? '')
        else io.err(`  ${problem}`)
      }
    }
    return true
  } catch (error) {
    if (end.signal.aborted) return false
    throw error
  } finally {
    prompt.close()
  }
}
