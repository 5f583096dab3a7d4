// The words of docs/performance.md. Numbers come in as they were measured: none is written here.

import type { Facts } from './page.js'
import { majorOf, type Run, roughRounds } from './run.js'
import { shown } from './table.js'

/** As many words as fit on a line of the page. */
function wrapped(text: string): string {
  const lines = ['']
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length >= 120) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}

const versionOf = (node: string) => `Node ${majorOf(node)}`

export const words = {
  summary: ({ deskgate, nginx, node, mellon, mellonTuned, authRequest, library }: Facts) =>
    wrapped(`A request with a session costs Deskgate ${shown(deskgate)} µs of CPU (${versionOf(node)}): the session is
      checked, the headers are cleaned, identity and signed assertion are added, the answer streams through. That is
      ${shown(deskgate / nginx)} times what nginx needs to pass on the same page without asking who wants it.
      Apache with mod_auth_mellon, which does a comparable job, needs ${shown(mellon)} times what Deskgate needs, and
      ${shown(mellonTuned)} times where it is tuned for nothing but this; nginx
      with a small checker of one's own, which knows neither logins nor endings, ${shown(authRequest)} times; and the Node
      library that is often taken for such a gateway, alone and without any authentication, ${shown(library)} times.`),

  busy: (load: number) =>
    wrapped(`> **These are no figures to go by.** The machine had other work when this began (load ${shown(load)}), so that
      ratios are rough and waiting times mean nothing. It has to be measured again when it is quiet.`)
      .split('\n')
      .join('\n> '),

  allHeld: 'These bounds were set before the gateway was built. All of them hold.',
  missed: (which: { says: string; node: string }[]) => {
    const list = which.map(({ says, node }) => `${says} (${versionOf(node)})`).join('; ')
    return wrapped(`These bounds were set before the gateway was built. Not all of them hold: ${list}.`)
  },

  ratios: wrapped(`Deskgate is compared with its peer. Only ratios carry over to another machine or another day, so only
    ratios are promised: each is one of medians, beside the least and the greatest of single rounds.`),

  requestColumns: (late: number) =>
    wrapped(`64 kept connections ask as fast as they are answered. Where the core is busy for less than 95 %
    of the time, what sends the load and plays Desk was the limit, and \`requests/s\` is less than the gateway could do.
    \`p50\` and \`p99\` beside it are those of a full queue; at half load everybody gets the same rate, half of what Deskgate
    can take. The tool for that, h2load, lets a connection wait for its answer before it asks again and does not count that
    wait: with no gateway was that so for more than ${shown(late)} % of the requests. \`memory\` counts pages that processes share
    once. Redis is not counted with anybody.`),

  bodyColumns:
    wrapped(`Bodies are never held: they pass in pieces, as fast as the slower side takes them. nginx is set up
    to do the same. A WebSocket message is 64 bytes, there and back.`),

  streams: wrapped('Made by `npx tsx bench/streams.ts --write`, with a Desk that streams.'),

  worse(facts: Facts): string {
    const { deskgate, nginx, medium, message, down, up, memory, nginxMemory, p99, nginxP99 } = facts
    const { log, far, older, onOlder } = facts
    const lines = [
      `nginx is far cheaper: ${shown(deskgate / nginx)} times for a small page, ${shown(medium)} times for 64 KiB,
        ${shown(message)} times for a WebSocket message. Of large bodies, Deskgate moves ${shown(down)} of what nginx
        does down and ${shown(up)} up for the same CPU. Assets that need no session are better served in front of it.`,
      `When a process is saturated its slowest answers wait long: p99 is ${shown(p99)} ms there, ${shown(nginxP99)} ms
        with nginx. Plan for half of what it can take, or run more workers. At half of it, too, the slowest hundredth waits
        longer than behind nginx, as behind every program of Node: [the profile](adr/0009-the-hot-path.md).`,
      `It needs ${shown(memory)} MB, nginx ${shown(nginxMemory)} MB.`,
      `With the access log a request costs ${shown(log)} times what it costs without${log < 1 ? ': less than what can be told apart' : ''}.
        Without the near cache, when each request asks Redis, it is ${shown(far)} times.`,
      ...(older ? [`On ${versionOf(older)} a request costs ${shown(onOlder)} times what it costs on the newest.`] : []),
    ]
    return lines
      .map(line => wrapped(line).replaceAll('\n', '\n  '))
      .map(line => `- ${line}`)
      .join('\n')
  },

  method: ({ rounds, seconds, again }: Run) =>
    wrapped(`Every gateway runs alone on one core, in front of the same Desk (an nginx with static pages) that shares the
      others with the load. All of them run at the same time and are measured by turns, ${rounds} rounds of ${seconds} s
      each (${roughRounds(rounds)} for bodies and for waiting times), after a warm-up and ${again} s more before each round; the figures are medians. In each round it is checked
      that the page is Desk's byte for byte, that nobody gets in without a session, and that who has one cannot say that
      he is somebody else; under load, Desk refuses every request without the identity. Deskgate runs as operators run it: built, on a Redis, with the
      session of a real login. Apache has the session of a real SAML login too; it
      runs once with the modules that Debian enables, and once tuned: no module that is not needed, and
      connections to Desk told to stay. Both have a thread for each connection and write no log. The checker behind nginx is a Node program
      with one Redis GET for each request. @fastify/http-proxy is as it comes, without any authentication. The bare Node
      program makes the same checks of framing, path, cookie, session, headers and assertion as Deskgate, and nothing
      else. CPU time is that of the gateway's
      processes as the kernel counts it, in user and in kernel mode.`),

  again:
    wrapped(`[bench/README.md](../bench/README.md) says how to measure it again. A tenth more or less from one day to the
    next is nothing.`),
}
