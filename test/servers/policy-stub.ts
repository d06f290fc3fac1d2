/** A policy service for tests that answers what it is told to, DUNNO by default, and remembers what it was asked. */
import { createServer } from 'node:net'

export type PolicyRequest = Readonly<Record<string, string>>
export type PolicyStub = {
  readonly address: string
  readonly requests: PolicyRequest[]
  stop(): Promise<void>
}

export async function startPolicyStub(answer: (request: PolicyRequest) => string = () => 'DUNNO'): Promise<PolicyStub> {
  const requests: PolicyRequest[] = []
  const server = createServer(socket => {
    let buffer = ''
    socket.on('error', () => {})
    socket.on('data', bytes => {
      buffer += bytes.toString('latin1')
      for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
        const pairs = buffer.slice(0, end).split('\n')
        buffer = buffer.slice(end + 2)
        const request = Object.fromEntries(
          pairs.map(pair => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]),
        )
        requests.push(request)
        socket.write(`action=${answer(request)}\n\n`)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    address: `127.0.0.1:${port}`,
    requests,
    // Postfix keeps its connections; it is stopped before.
    stop: () => new Promise(resolve => server.close(() => resolve())),
  }
}
