/** Both ways of reading a connection: the pieces come in order, the ends are told, and a server closes. */
import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { readInto, readUsually } from '../../agent/decision/socket.ts'

describe.each([
  ['into one buffer', readInto, true],
  ['in the usual way', readUsually, false],
] as const)('a connection read %s', (_, read, pauseOnConnect) => {
  test('gives every octet in order, is answered, and its end ends the server', async () => {
    let taken = ''
    const seen: Socket[] = []
    const server = createServer({ pauseOnConnect }, accepted => {
      const socket = read(accepted, text => {
        taken += text
        if (taken.endsWith('.')) socket.write('done')
      })
      seen.push(socket)
      socket.on('close', () => seen.splice(seen.indexOf(socket), 1))
      socket.resume()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const client = createConnection(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1')
    const text = Array.from({ length: 40_000 }, (__, n) => `${n};é\xff`).join('')
    client.write(Buffer.from(text, 'latin1'))
    client.write('.')
    const [answer] = await once(client, 'data')
    expect(String(answer)).toBe('done')
    expect(taken).toBe(`${text}.`)
    expect(seen).toHaveLength(1)
    client.end()
    await new Promise(resolve => server.close(resolve))
    await expect.poll(() => seen.length).toBe(0)
  })
})
