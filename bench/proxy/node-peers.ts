// Node programs beside Deskgate: the library as it comes, and the bound of what undici allows.

import { join } from 'node:path'
import { freePort } from '../../test/parts/ports.js'
import { gatewayCore } from './machine.js'
import type { Peer } from './peer.js'
import { nodeArguments, startProgram } from './program.js'

const program = (name: string) => nodeArguments(join(import.meta.dirname, 'programs', name))

export const httpProxy: Peer = {
  name: '@fastify/http-proxy as it comes, no authentication',
  key: 'http-proxy',
  async start({ desk, node }) {
    const port = await freePort()
    const args = [`${port}`, `http://127.0.0.1:${desk.port}`, `http://127.0.0.1:${desk.echoPort}`]
    const { pid, stop } = await startProgram(node, [...program('http-proxy.ts'), ...args], { port, cores: gatewayCore })
    return { port, headers: {}, pids: [pid], stop }
  },
}

export const bareUndici: Peer = {
  name: 'node:http + undici, the same checks',
  key: 'undici',
  async start({ desk, node }) {
    const port = await freePort()
    const cookie = 'm'.repeat(43)
    const args = [`${port}`, `http://127.0.0.1:${desk.port}`, cookie]
    const { pid, stop } = await startProgram(node, [...program('undici.ts'), ...args], { port, cores: gatewayCore })
    return { port, headers: { cookie: `__Host-deskgate=${cookie}` }, pids: [pid], stop }
  },
}
