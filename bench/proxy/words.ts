// The sentences of docs/performance.md. All numbers come from the measurements: none is written here.

import type { Facts } from './page.js'
import { type FloodsRun, majorOf, type Run, roughRounds } from './run.js'
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

const versionOf = (node: string) => `Node ${majorOf(node)}`

export const words = {
  summary: ({ deskgate, nginx, node, mellon, mellonTuned, authRequest, library }: Facts) =>
    wrapped(`A request with a session costs Deskgate ${shown(deskgate)} µs of CPU (${versionOf(node)}). In that time it checks
      the session, cleans the headers, adds the identity and the signed assertion, and streams the response. That is
      ${shown(deskgate / nginx)} times what nginx needs to pass on the same page without any check. Compared with
      Deskgate, Apache with mod_auth_mellon, which does a comparable job, needs ${shown(mellon)} times as much, and ${shown(mellonTuned)} times when tuned for this test alone. nginx with a small checker, which
      supports neither logins nor revocation, needs ${shown(authRequest)} times as much. @fastify/http-proxy, a Node
      library that is often used for such a gateway, needs ${shown(library)} times as much without any authentication.`),

  busy: (load: number) =>
    wrapped(`> **Do not rely on these figures.** The machine was busy with other work at the start (load ${shown(load)}), so
      ratios are rough and waiting times mean nothing. Measure again when the machine is idle.`)
      .split('\n')
      .join('\n> '),

  allHeld: 'These bounds were set before the gateway was built. All of them hold.',
  missed: (which: { says: string; node: string }[]) => {
    const list = which.map(({ says, node }) => `${says} (${versionOf(node)})`).join('; ')
    return wrapped(`These bounds were set before the gateway was built. Not all of them hold: ${list}.`)
  },

  ratios:
    wrapped(`Deskgate is compared with its peers. Only ratios carry over to another machine or another day, so the bounds
    are ratios. Each figure is a ratio of medians, followed by the smallest and the largest ratio of a single round.`),

  requestColumns: (late: number) =>
    wrapped(`64 kept connections send requests as fast as they are answered. If the core is busy for less than 95 %
    of the time, the load generator and Desk were the limit, and the gateway could do more than \`requests/s\`.
    \`p50\` and \`p99\` next to it are those of a full queue. At half load every gateway gets the same rate, half of
    Deskgate's maximum. The tool for that, h2load, lets a connection wait for its response before it sends the next
    request, and does not count that wait. This affected at most ${shown(late)} % of the requests of any gateway.
    \`memory\` counts pages that processes share once. Redis is not included.`),

  bodyColumns:
    wrapped(`Bodies are never buffered as a whole: they pass in pieces, at the speed of the slower side. nginx is
    configured to do the same. A WebSocket message has 64 bytes in each direction.`),

  streams: wrapped('Measured by `npx tsx bench/streams.ts --write`, with a Desk that streams.'),

  floods: ({ machine: { day, busy }, node, seconds }: FloodsRun) =>
    wrapped(`Measured by \`npx tsx bench/floods.ts --write\` on ${day} (${versionOf(node)}, load of the machine before:
      ${shown(busy)}): the requests of an agent through the gateway for ${seconds} s, quiet and then beside a flood from
      another address. The bounds: a p99 below 5 times its quiet value (at least 5 ms), memory (RSS) below 300 MB, at
      most 256 connections to Desk. nginx has no forms of its own.`),

  worse(facts: Facts): string {
    const { deskgate, nginx, medium, message, down, up, memory, nginxMemory, p99, nginxP99 } = facts
    const { log, far, older, onOlder } = facts
    const lines = [
      `nginx needs far less CPU: Deskgate costs ${shown(deskgate / nginx)} times as much for a small page,
        ${shown(medium)} times for 64 KiB, ${shown(message)} times for a WebSocket message. With the same CPU, Deskgate
        moves ${shown(down)} times as many bytes of large bodies as nginx down, and ${shown(up)} times up. Serve assets
        that need no session in front of Deskgate.`,
      `When a process is saturated, its slowest responses wait long: p99 is ${shown(p99)} ms, ${shown(nginxP99)} ms
        with nginx. Plan for half of its maximum rate, or run more workers. Even at half load the slowest hundredth waits
        longer than with nginx, as with every Node program: [the profile](adr/0009-the-hot-path.md).`,
      `Deskgate needs ${shown(memory)} MB of memory, nginx ${shown(nginxMemory)} MB.`,
      `With the access log a request costs ${shown(log)} times what it costs without${log < 1 ? ': the difference is within the noise' : ''}.
        Without the near cache each request asks Redis, and costs ${shown(far)} times as much.`,
      ...(older
        ? [`On ${versionOf(older)} a request costs ${shown(onOlder)} times what it costs on the newest Node.`]
        : []),
    ]
    return lines
      .map(line => wrapped(line).replaceAll('\n', '\n  '))
      .map(line => `- ${line}`)
      .join('\n')
  },

  method: ({ rounds, seconds, again }: Run) =>
    wrapped(`Every gateway runs alone on one core, in front of the same Desk (an nginx with static pages). Desk and the
      load generator share the other cores. All gateways run at the same time and are measured in turn, ${rounds} rounds
      of ${seconds} s each (${roughRounds(rounds)} for bodies and for waiting times), after a warm-up and ${again} s
      more before each round. The figures are medians. Each round checks that the page is Desk's byte for byte, that a request without a session is stopped, and that a request with a
      session cannot claim another identity. Under load, Desk refuses every request without the identity. Deskgate
      runs as in production: built, with Redis, with the session of a real login. Apache also has the session of a
      real SAML login. It runs once with the modules that Debian enables, and once tuned: only the modules that it
      needs, and kept connections to Desk. Both variants have a thread for each connection and write no log. The
      checker behind nginx is a Node program with one Redis GET for each request. @fastify/http-proxy runs with its
      defaults, without any authentication. The bare Node program makes the same checks of framing, path, cookie,
      session, headers and assertion as Deskgate, and nothing else. CPU time is the time of the gateway's processes in
      user and in kernel mode, as the kernel counts it.`),

  again: wrapped(`[bench/README.md](../bench/README.md) says how to measure it again. Differences
    of a tenth from one day to the next are normal.`),
}
