// Node programs beside Deskgate: the library as it comes, and the bound of what undici allows.

import { randomBytes } from 'node:crypto'
import { freePort } from '../../test/parts/ports.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { compiled, startProgram } from './program.js'

export const httpProxy: Peer = {
  name: '@fastify/http-proxy, no checks',
  key: 'http-proxy',
  onNode: 'each',
  async start({ folder, desk, node }) {
    const port = await freePort()
    const to = [`http://127.0.0.1:${desk.openPort}`, `http://127.0.0.1:${desk.echoPort}`]
    const args = [...(await compiled(folder, 'http-proxy')), `${port}`, ...to]
    const { pid, stop } = await startProgram(node, args, { port, cores: gatewayCore })
    return { port, headers: {}, pids: [pid], stop }
  },
}

export const bareUndici: Peer = {
  name: 'node:http + undici, the same checks',
  key: 'undici',
  onNode: 'each',
  identity: 'X-Agent-Email',
  assertion: true,
  async start({ folder, desk, node }) {
    const port = await freePort()
    const cookie = randomBytes(32).toString('base64url')
    const args = [...(await compiled(folder, 'undici')), `${port}`, `http://127.0.0.1:${desk.agentPort}`, cookie]
    const { pid, stop } = await startProgram(node, args, { port, cores: gatewayCore })
    return { port, headers: { cookie: `__Host-deskgate=${cookie}` }, pids: [pid], stop }
  },
}
