/** A mail server for notices that takes the connection and says nothing: nobody who suspends waits for it. */
import { createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { createEstate, institutionText } from '../support/estate.ts'

test('a suspension is answered while the notice still waits, and the notice stays due', async () => {
  const sockets = new Set<Socket>()
  const mute = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => mute.listen(0, '127.0.0.1', resolve))
  const address = mute.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  try {
    await using estate = await createEstate(
      { 'hospital.yaml': institutionText('hospital', { domain: 'hcg.sld.cu' }) },
      { providers: { notify: `notify: { kind: smtp, server: "127.0.0.1:${address.port}", tls: none }` } },
    )
    const daemon = await estate.start()
    await daemon.until(line => line['event'] === 'ready', 'ready')
    const { exit, json } = await estate.json(['suspend', 'hcg.sld.cu', '--class', 'spam', '--reason', 'x'])
    expect({ exit, levers: new Set(Object.values(json.levers)) }).toEqual({ exit: 0, levers: new Set(['verified']) })
    // The server was asked, and has not answered yet: the connection is open.
    expect([...sockets].some(socket => !socket.destroyed)).toBe(true)
    const shown = await estate.json(['incident', 'show', json.incident])
    // It awaits the report when the director was told.
    expect(shown.json.state).toBe('contained')
    expect((await estate.cli(['register', 'list', '--kind', 'notice'])).out).not.toContain('notice.sent')
    // Nor does the next command wait: it is answered, and the server has still said nothing.
    expect((await estate.json(['explain', 'jperez@hcg.sld.cu', 'x@who.int'])).json.effect).toBe('reject')
    expect([...sockets].some(socket => !socket.destroyed)).toBe(true)
    for (const socket of sockets) socket.destroy()
    await daemon.stop('SIGKILL')
  } finally {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => mute.close(resolve))
  }
})
