/**
 * A port on loopback that nobody listens on, by TCP or UDP. Below the range that the kernel takes for outgoing connections:
 * a server that is stopped and started again finds its port as it left it.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

const ports = { from: 12_000, count: 20_000 }
const given = new Set<number>()

export async function freePort(): Promise<number> {
  while (true) {
    const port = ports.from + randomInt(ports.count)
    if (given.has(port)) continue
    given.add(port)
    if ((await isFreeByTcp(port)) && (await isFreeByUdp(port))) return port
  }
}

function isFreeByTcp(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function isFreeByUdp(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    socket.once('error', () => resolve(false))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}
