// The sentences of docs/performance.md. All numbers come from the measurements: none is written here.

import type { Facts } from './page.js'
import { type FloodsRun, majorOf, type Run } from './run.js'
import { shown } from './table.js'

/** As many words as fit on a line of 110 characters, in a list too. */
function wrapped(text: string): string {
  const lines = ['']
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length >= 108) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}

function list(lines: string[]): string {
  return lines.map(line => `- ${wrapped(line).replaceAll('\n', '\n  ')}`).join('\n')
}

const versionOf = (node: string) => `Node ${majorOf(node)}`
/** Requests a second of an agent at work: one every five seconds. */
const perAgent = 0.2
const rounded = (value: number) =>
  Number.isFinite(value) ? (Math.round(value / 1000) * 1000).toLocaleString('en') : '–'

export const words = {
  summary: ({ node, rates, p99, most, memory, memoryMany, toNginx, toMellon, toOauth }: Facts) =>
    list([
      `**Waiting**: at 500 requests a second, 99 of 100 answers come within ${shown(p99.at500)} ms, at 2,000 a second
        within ${shown(p99.at2000)} ms, with one process on one core (${versionOf(node)}).`,
      `**Agents for each core**: a core takes ${shown(most)} requests a second. At half of that, where the p99 is
        ${shown(p99.half)} ms, it serves some ${rounded(most / 2 / perAgent)} agents who send a request every five seconds.`,
      `**Memory**: a process needs ${shown(memory)} MB, and ${shown(memoryMany)} MB with 50,000 sessions in its cache.`,
      `**CPU**: a request with a session costs ${rates.map(shown).join(', ')} µs at 500 a second, at 2,000 a second and
        at saturation. In that time Deskgate checks the session, cleans the headers, adds the identity and the signed
        assertion, and streams the response. At 2,000 a second and at saturation that is ${toNginx.map(shown).join(' and ')}
        times what nginx needs without any check, ${toMellon.map(shown).join(' and ')} times what Apache with
        mod_auth_mellon needs (at saturation: tuned), and ${toOauth.map(shown).join(' and ')} times what oauth2-proxy needs.`,
    ]),

  noisy: (reasons: string[]) =>
    wrapped(
      `> **Do not rely on these figures.** The machine was noisy: ${reasons.join('; ')}. Measure again when it is idle.`,
    )
      .split('\n')
      .join('\n> '),

  waits:
    wrapped(`Requests come by the clock, at random moments of the given rate, whether the last ones are answered or not.
    The wait counts from the moment at which a request was due. At half of its most, each gateway gets half of the requests a second
    that it takes at saturation.`),

  costs: (absent: string[]) =>
    wrapped(`At a slow rate a program wakes for each request; at saturation it does many in one go, so each costs less.
    At saturation 64 kept connections send requests as fast as they are answered. If the core is busy for less than
    95 % of the time, the load generator and Desk were the limit. \`memory\` counts pages that processes share once. Redis is not included.
    *50,000 sessions at random*: every request is of another session that the process has in its cache, with assertions of every age, as
    after a while of the same load. *First reads*: every request is of a session
    that the process has not seen. ${absent.length > 0 ? `Not on the PATH, so not measured: ${absent.join(', ')}.` : ''}`),

  bodies: wrapped(`Bodies are never buffered as a whole: they pass in pieces, at the speed of the slower side. nginx is
    configured to do the same. A WebSocket message has 64 bytes in each direction.`),

  held(missed: { says: string; node: string }[]): string {
    if (missed.length === 0) return 'All bounds hold.'
    return wrapped(`Not all bounds hold: ${missed.map(({ says, node }) => `${says} (${versionOf(node)})`).join('; ')}.`)
  },

  ratios:
    wrapped(`Only ratios carry over to another machine or another day, so most bounds are ratios: Deskgate's figure to
    that of the other. Each is a ratio of medians, followed by the smallest and the largest of a single round.`),

  streams: wrapped('Measured by `npx tsx bench/streams.ts --write`, with a Desk that streams.'),

  floods: ({ machine: { day, busy }, node, seconds }: FloodsRun) =>
    wrapped(`Measured by \`npx tsx bench/floods.ts --write\` on ${day} (${versionOf(node)}, load of the machine before:
      ${shown(busy)}): the requests of an agent through the gateway for ${seconds} s, quiet and then beside a flood from
      another address. The bounds: a p99 below 5 times its quiet value (at least 5 ms), memory (RSS) below 300 MB, at
      most 256 connections to Desk. nginx has no forms of its own.`),

  worse(facts: Facts): string {
    const { toNginx, medium, message, down, up, memory, nginxMemory, p99, nginxP99 } = facts
    const { log, first, many, two, older, onOlder, toMellon } = facts
    const lines = [
      `nginx needs far less CPU: Deskgate costs ${shown(toNginx[0] ?? Number.NaN)} times as much for a small page at 2,000 requests a second,
        ${shown(medium)} times for 64 KiB, ${shown(message)} times for a WebSocket message. With the same CPU, Deskgate
        moves ${shown(down)} times as many bytes of large bodies as nginx down, and ${shown(up)} times up. Serve assets
        that need no session in front of Deskgate.`,
      `At half of its most, the p99 is ${shown(p99.half)} ms, with nginx ${shown(nginxP99)} ms: a request waits for all others of
        its turn of the event loop, as in every Node program ([the profile](adr/0009-the-hot-path.md)). More workers help.`,
      `At saturation a request costs ${shown(toMellon[1] ?? Number.NaN)} times what the tuned mod_auth_mellon needs. Most of it
        is the kernel's, Node's and undici's, not Deskgate's own code ([the profile](adr/0009-the-hot-path.md)).`,
      `A session that a process has not seen costs ${shown(first)} times as much as one that it knows. With 50,000 sessions
        in use at once a request costs ${shown(many)} times as much as with one.`,
      `A second worker on the same core costs ${shown(two)} times as much for each request, the access log ${shown(log)} times. Below 1, the difference is within the noise.`,
      `Deskgate needs ${shown(memory)} MB of memory, nginx ${shown(nginxMemory)} MB.`,
      ...(older
        ? [`On ${versionOf(older)} a request costs ${shown(onOlder)} times what it costs on the newest Node.`]
        : []),
    ]
    return list(lines)
  },

  method: ({ rounds, seconds, noise }: Run) =>
    wrapped(`Every gateway runs alone on one core, in front of the same Desk (an nginx with static pages). Desk and the
      load generators (wrk at saturation, \`bench/proxy/programs/open-loop.ts\` at fixed rates) share the other cores. All gateways run
      at the same time and are measured in turn: ${rounds} rounds of ${seconds} s each at saturation, half as long again at fixed rates
      (two rounds at 500 a second, at half of the most, for large bodies and for WebSockets), each after a second of load. The
      figures are medians. Each round checks that the page is Desk's byte for byte, that a request without a
      session is stopped, and that a request with a session cannot claim another identity. Under load, Desk refuses
      every request without the identity. Deskgate runs as in production: built, with Redis, with the session of a
      real login. 50,000 sessions are written to Redis by Deskgate's own code, and each is used once before a round.
      Apache, oauth2-proxy and saml-auth-proxy also have the session of a real login. Apache has a thread for each connection and writes no log; it runs once
      with the modules that Debian enables, and tuned with only those that it needs, and kept connections to
      Desk. oauth2-proxy writes no log either. @fastify/http-proxy runs with its defaults, without any authentication. CPU time is the
      time of the gateway's processes in user and in kernel mode, as the kernel counts it, for each request that was
      answered. During the run other programs took ${shown(noise.others * 100)} % of the cores, the load generator was up to
      ${shown(noise.late)} ms late (p99), and nginx cost ${shown(noise.spread)} times as much in its dearest round as in its
      cheapest.`),

  again: wrapped(`[bench/README.md](../bench/README.md) says how to measure it again. Differences
    of a tenth from one day to the next are normal.`),
}
