/** A door between the provider and slapd that a test can slam, before or after the server has done its work. */
import { connect, createServer, type Socket } from 'node:net'

export type Door = {
  readonly url: string
  /** Called with what the client sends, before it is passed on. */
  onRequest: (bytes: Buffer) => void
  /** `drop`: the next answer is lost together with its connection, after the server did its work. */
  answers: 'pass' | 'drop'
  close(): Promise<void>
}

/** Of RFC 4528: a write of an entry that was looked at carries it, and no read does. */
export const assertionOid = '1.3.6.1.1.12'

export async function startProxy(target: string): Promise<Door> {
  const { hostname, port } = new URL(target)
  const open = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', bytes => {
      proxy.onRequest(bytes)
      upstream.write(bytes)
    })
    upstream.on('data', bytes => {
      if (proxy.answers === 'drop') client.destroy()
      else client.write(bytes)
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const proxy: Door = {
    url: `ldap://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
    onRequest: () => {},
    answers: 'pass',
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
  return proxy
}
