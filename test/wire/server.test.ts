/** The policy service over real sockets: order, hanging up, limits, time (R12, R14, R23, R28; contract section 5). */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { type Decision, decide } from '../../agent/decision/decide.ts'
import { lateMs } from '../../agent/decision/pace.ts'
import { idleMs, PolicyServer, type PolicyServerOptions, partialMs } from '../../agent/decision/server.ts'
import { buildSnapshot, withHolds } from '../../agent/decision/snapshot.ts'
import { at, toHolds, toWorld } from '../../agent/policy-test/world.ts'
import type { PolicyRequest } from '../../agent/standards/policy-delegation.ts'
import { createRandom, formatRequest, randomRequest } from '../decision/generate.ts'
import { estate } from '../decisions/tables.ts'
import { connectTo, exchange, readAnswers, readToEnd } from './client.ts'

const snapshot = buildSnapshot(toWorld(estate))
const held = withHolds(snapshot, toHolds({ ...estate, holds: [{ incident: 'INC-1', domain: 'hcg.sld.cu' }] }))
const login = 'nacional@hcg.sld.cu'
const home: PolicyRequest = {
  state: 'RCPT',
  clientAddress: '10.20.0.9',
  sender: login,
  login,
  recipient: 'x@minsap.cu',
  instance: 'i1',
}
const abroad: PolicyRequest = { ...home, recipient: 'x@who.int' }
const good = formatRequest(home)
const bad = formatRequest(abroad)

const servers: PolicyServer[] = []
const sockets: Socket[] = []

async function start(
  options: Partial<PolicyServerOptions> = {},
  addresses = ['127.0.0.1:0'],
): Promise<{ server: PolicyServer; address: string }> {
  const server = new PolicyServer({ clock: { now: () => at, sleep: async () => {} }, ...options })
  servers.push(server)
  await server.listen(addresses.map(on => ({ on, modes: {} })))
  server.swap(snapshot)
  return { server, address: server.addresses[0] ?? '' }
}

async function open(address: string): Promise<Socket> {
  const socket = await connectTo(address)
  sockets.push(socket)
  return socket
}

async function ask(socket: Socket, text: string): Promise<string> {
  const answers = readAnswers(socket, 1)
  socket.write(text)
  return (await answers)[0] ?? ''
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map(server => server.close()))
})

describe('order', () => {
  test('a request cut at every byte is answered once and right', async () => {
    const { address } = await start()
    const socket = await open(address)
    socket.setNoDelay(true)
    for (let cut = 1; cut < bad.length; cut += 1) {
      const answers = readAnswers(socket, 2)
      socket.write(bad.slice(0, cut))
      await new Promise(resolve => setImmediate(resolve))
      socket.write(bad.slice(cut) + good)
      const [refused = '', passed] = await answers
      expect(refused).toMatch(/^action=550 5\.7\.1 scope-send: /)
      expect(passed).toBe('action=DUNNO')
    }
  })

  test('1,000 in one go are answered as one by one', async () => {
    const { address } = await start()
    const random = createRandom(7)
    const requests = Array.from({ length: 1000 }, () => formatRequest(randomRequest(random, estate)))
    const one = await open(address)
    const single: string[] = []
    for (const request of requests) single.push(await ask(one, request))
    const many = await open(address)
    const answers = readAnswers(many, requests.length)
    many.write(requests.join(''))
    expect(await answers).toEqual(single)
    expect(new Set(single.map(answer => answer.slice(0, 16))).size).toBeGreaterThan(3)
  })

  test('a malformed request ends its own connection: answers before it, none for it, none after', async () => {
    const { server, address } = await start()
    const neighbour = await open(address)
    const text = await exchange(address, `${good}${bad}request=something_else\n\n${good}`)
    expect(text.split('\n\n').map(answer => answer.slice(0, 10))).toEqual(['action=DUN', 'action=550', ''])
    expect(await exchange(address, good.replaceAll('\n', '\r\n'))).toBe('')
    expect(await exchange(address, good.replace('ESMTP', 'ES\0MTP'))).toBe('')
    expect(await exchange(address, good.replace('size=0', 'sender=other@x.cu'))).toBe('')
    expect(await exchange(address, good.replace('helo_name=client', `helo_name=${'v'.repeat(16_384)}`))).toBe(
      'action=DUNNO\n\n',
    )
    expect(await exchange(address, good.replace('helo_name=client', `helo_name=${'v'.repeat(16_385)}`))).toBe('')
    expect(server.counters.malformed).toBe(5)
    expect(await ask(neighbour, good)).toBe('action=DUNNO')
  })

  test('who does not read is not read from, and nothing is lost', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    const count = 60_000
    socket.pause()
    socket.write(bad.repeat(count))
    // The kernel's buffers are full on both sides: the server has stopped in the middle.
    let seen = -1
    while (server.counters.requests !== seen) {
      seen = server.counters.requests
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    expect(seen).toBeLessThan(count)
    socket.resume()
    expect(await readAnswers(socket, count)).toHaveLength(count)
    expect(server.counters).toMatchObject({ requests: count, rejected: count })
  })
})

describe('in doubt it hangs up', () => {
  test('without a verified snapshot', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    expect(await ask(socket, good)).toBe('action=DUNNO')
    server.swap(null)
    const ending = readToEnd(socket)
    socket.write(good)
    expect(await ending).toEqual({ text: '', ended: 'end' })
    expect(await exchange(address, good)).toBe('')
    expect(server.counters.unverified).toBe(2)
    server.swap(snapshot)
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
  })

  test('when a policy throws, counted, never DUNNO', async () => {
    const thrown: unknown[] = []
    const { server, address } = await start({
      onThrown: error => thrown.push(error),
      decide: (tables, request, circumstances) => {
        if (request.recipient === 'x@who.int') throw new Error('a bug')
        return decide(tables, request, circumstances)
      },
    })
    expect(await exchange(address, good + bad + good)).toBe('action=DUNNO\n\n')
    expect(server.counters.thrown).toBe(1)
    expect(thrown).toHaveLength(1)
  })

  test('when a decision took too long, for all that were read with it', async () => {
    let now = 0
    const { server, address } = await start({
      monotonic: () => now,
      decide: (tables, request, circumstances) => {
        if (request.recipient === 'x@who.int') now += lateMs + 1
        return decide(tables, request, circumstances)
      },
    })
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
    expect(await exchange(address, good + bad + good)).toBe('')
    expect(server.counters.late).toBe(1)
  })

  test('when the loop stood still while requests waited, and goes on afterwards', async () => {
    const { server, address } = await start()
    const waiting = await Promise.all(Array.from({ length: 8 }, () => open(address)))
    for (const socket of waiting) expect(await ask(socket, good)).toBe('action=DUNNO')
    const endings = waiting.map(readToEnd)
    for (const socket of waiting) socket.write(good)
    const until = performance.now() + lateMs + 200
    while (performance.now() < until);
    for (const ending of endings) expect((await ending).text).toBe('')
    expect(server.counters.late).toBe(waiting.length)
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
  })
})

describe('time and room', () => {
  test('a quiet connection outlives Postfix’s own 1,000 s', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    expect(await ask(socket, good)).toBe('action=DUNNO')
    server.sweep(performance.now() + 1_000_000)
    expect(await ask(socket, good)).toBe('action=DUNNO')
    const ending = readToEnd(socket)
    server.sweep(performance.now() + idleMs + 1000)
    expect(await ending).toEqual({ text: '', ended: 'end' })
    expect(server.counters.idle).toBe(1)
  })

  test('a piece of a request does not wait for ever', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    expect(await ask(socket, good + bad.slice(0, 100))).toBe('action=DUNNO')
    server.sweep(performance.now() + partialMs - 1000)
    expect(server.counters.stalePartial).toBe(0)
    const ending = readToEnd(socket)
    server.sweep(performance.now() + partialMs + 1000)
    expect((await ending).text).toBe('')
    expect(server.counters.stalePartial).toBe(1)
  })

  test('an address that is full: who never asked makes room, who asked stays, then nobody gets in', async () => {
    const { server, address } = await start({ limits: { max: 100, perAddressMax: 3 } })
    const asking = await open(address)
    expect(await ask(asking, good)).toBe('action=DUNNO')
    const silent = await open(address)
    const other = await open(address)
    const gone = readToEnd(silent)
    const third = await open(address)
    await gone
    expect(await ask(third, good)).toBe('action=DUNNO')
    expect(await ask(other, good)).toBe('action=DUNNO')
    expect(await ask(asking, good)).toBe('action=DUNNO')
    const late = await open(address)
    await readToEnd(late)
    expect(server.counters.turnedAway).toBe(1)
    expect(server.connections).toBe(3)
    expect(await ask(asking, good)).toBe('action=DUNNO')
  })

  test('a burst of 500 connections is served at once', async () => {
    const { address } = await start()
    const texts = await Promise.all(Array.from({ length: 500 }, () => exchange(address, good)))
    expect(new Set(texts)).toEqual(new Set(['action=DUNNO\n\n']))
  })

  test('close ends every connection and frees the port', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    expect(await ask(socket, good)).toBe('action=DUNNO')
    const ending = readToEnd(socket)
    await server.close()
    expect(await ending).toEqual({ text: '', ended: 'end' })
    await start({}, [address])
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
  })
})

describe('what it decides by', () => {
  test('a swap acts at the next request of a connection that was there before', async () => {
    const { server, address } = await start()
    const socket = await open(address)
    for (let count = 0; count < 500; count += 1) {
      server.swap(count % 2 === 0 ? snapshot : held)
      expect(await ask(socket, good)).toMatch(count % 2 === 0 ? /^action=DUNNO$/ : /^action=550 5\.7\.1 suspended: /)
    }
  })

  test('tells of refusals and of what a policy in observe would refuse, and of nothing else', async () => {
    const told: [Decision, PolicyRequest][] = []
    const { server, address } = await start({ onDecision: (decision, request) => told.push([decision, request]) })
    const answer = await exchange(address, good + bad)
    expect(told).toHaveLength(1)
    expect(answer).toContain(`[${told[0]?.[0].id}]`)
    expect(told[0]?.[1]).toEqual(abroad)
    server.swap(buildSnapshot(toWorld({ ...estate, modes: { 'scope-send': 'observe' } })))
    expect(await exchange(address, bad)).toBe('action=DUNNO\n\n')
    expect(told[1]?.[0]).toMatchObject({
      effect: 'dunno',
      verdicts: [{ policy: 'scope-send', effect: 'reject', observed: true }],
    })
  })

  test('each address answers by its own modes, also after the tables were swapped', async () => {
    const server = new PolicyServer({ clock: { now: () => at, sleep: async () => {} } })
    servers.push(server)
    await server.listen([
      { on: '127.0.0.1:0', modes: {} },
      { on: '127.0.0.1:0', modes: { 'scope-send': 'observe' } },
    ])
    const [enforcing = '', trying = ''] = server.addresses
    for (const tables of [snapshot, buildSnapshot(toWorld(estate))]) {
      server.swap(tables)
      expect(await exchange(enforcing, bad)).toMatch(/^action=550 5\.7\.1 scope-send/)
      expect(await exchange(trying, bad)).toBe('action=DUNNO\n\n')
    }
    server.swap(null)
    for (const address of [enforcing, trying]) expect(await exchange(address, good)).toBe('')
  })

  test('a listener that throws costs nobody an answer', async () => {
    const { server, address } = await start({
      onDecision: () => {
        throw new Error('disk full')
      },
    })
    expect(await exchange(address, bad)).toMatch(/^action=550 /)
    expect(server.counters.listenerThrew).toBe(1)
  })

  test('the rate: distinct recipients outside the institution, per login, in a rolling hour', async () => {
    let now = at
    const { server, address } = await start({ clock: { now: () => now, sleep: async () => {} } })
    server.swap(buildSnapshot(toWorld({ ...estate, limits: { recipientsPerHour: 2, recipientsPerDay: 3 } })))
    const to = async (recipient: string, who = login) =>
      (await exchange(address, formatRequest({ ...home, login: who, sender: who, recipient }))).slice(7, 16).trim()
    expect(await to('a@minsap.cu')).toBe('DUNNO')
    expect(await to('b@minsap.cu')).toBe('DUNNO')
    expect(await to('c@minsap.cu')).toBe('450 4.7.1')
    expect(await to('A@Minsap.cu')).toBe('DUNNO')
    expect(await to('local@hcg.sld.cu', 'libre@hcg.sld.cu')).toBe('DUNNO')
    expect(await to('profesor@hcg-docencia.sld.cu')).toBe('DUNNO')
    expect(await to('x@who.int')).toBe('550 5.7.1')
    expect(await to('c@minsap.cu', 'libre@hcg.sld.cu')).toBe('DUNNO')
    expect(await to('c@minsap.cu', 'NAC.ional@hcg.sld.cu')).toBe('450 4.7.1')
    now += 3_600_000
    expect(await to('c@minsap.cu')).toBe('DUNNO')
    now += 3_600_000
    expect(await to('d@minsap.cu')).toBe('450 4.7.1')
    now += 22 * 3_600_000
    expect(await to('d@minsap.cu')).toBe('DUNNO')
  })
})

describe('unix sockets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mw-policy-'))
  const path = join(folder, 'policy')
  const address = `unix:${path}`
  afterEach(() => rmSync(path, { force: true }))

  test('for owner and group, beside TCP', async () => {
    const { server } = await start({}, [address, '127.0.0.1:0'])
    expect(statSync(path).mode & 0o777).toBe(0o660)
    for (const each of server.addresses) expect(await exchange(each, good)).toBe('action=DUNNO\n\n')
  })

  test('a stale one is replaced', async () => {
    const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['-e', script])
    expect(statSync(path).isSocket()).toBe(true)
    await start({}, [address])
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
  })

  test('a live one and a file that is none are left alone', async () => {
    await start({}, [address])
    const second = new PolicyServer({ clock: { now: () => at, sleep: async () => {} } })
    await expect(second.listen([{ on: address, modes: {} }])).rejects.toMatchObject({ code: 'EADDRINUSE' })
    expect(await exchange(address, good)).toBe('action=DUNNO\n\n')
    writeFileSync(join(folder, 'file'), 'mine')
    await expect(second.listen([{ on: `unix:${join(folder, 'file')}`, modes: {} }])).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    await second.close()
    rmSync(folder, { recursive: true })
  })

  test('an address that is none', async () => {
    const server = new PolicyServer({ clock: { now: () => at, sleep: async () => {} } })
    for (const text of [
      '10031',
      'unix:',
      'systemd:',
      'systemd:a b',
      'systemd:policy',
      '127.0.0.1:99999',
      'x:y',
      '::1:10',
    ])
      await expect(server.listen([{ on: text, modes: {} }])).rejects.toThrow(text)
    await server.close()
  })
})
