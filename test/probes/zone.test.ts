/** The probe of a zone: real BIND servers that agree and that do not, and servers that lie, cut and hang. */
import { createSocket, type Socket as Datagrams, type RemoteInfo } from 'node:dgram'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { RRsetResource } from '../../agent/model/resource.ts'
import { mailboxName } from '../../agent/standards/dns-text.ts'
import { formatQuery, parseAnswer } from '../../providers/probe-dns/message.ts'
import { probeZone, type ZoneProbe } from '../../providers/probe-dns/zone.ts'
import { rrset } from '../dns/bench.ts'
import { type Named, startNamed, whyNoNamed } from '../servers/named.ts'
import { describeServers } from '../servers/suite.ts'
import { freePort } from '../support/free-port.ts'
import { hang, startTwin, type Twin } from '../support/twin.ts'

const apex = 'hcg.example'
const never = new AbortController().signal
const many = Array.from({ length: 90 }, (_, index) => `192.0.2.${index + 1}`)
const long = 'k=rsa; p='.padEnd(700, 'ñandú')

/** Character-strings that cut the text where they like, in the middle of a letter too. */
function inMasterFile(text: string): string {
  const octets = Buffer.from(text)
  const parts: string[] = []
  for (let at = 0; at < octets.length; at += 250)
    parts.push(
      `"${Array.from(octets.subarray(at, at + 250), octet => `\\${String(octet).padStart(3, '0')}`).join('')}"`,
    )
  return parts.join(' ')
}

/** Written by hand, so that BIND's reading of it is the oracle. */
const zoneText = (serial: number, more = '') => `$ORIGIN ${apex}.
$TTL 300
@ SOA ns1.operator.example. first\\.last.operator.example. ${serial} 10800 3600 604800 300
@ NS ns1.operator.example.
@ NS NS2.Operator.Example.
@ MX 10 mx1.operator.example.
@ MX 20 mx2.operator.example.
@ TXT "v=spf1 mx -all"
@ TXT "with \\"quotes\\" and \\\\ and ;"
@ CAA 0 issue "ca.example"
mx1 A 192.0.2.25
mx1 AAAA 2001:db8:0:0::25
_dmarc TXT "v=DMARC1; " "p=none"
_imaps._tcp SRV 0 1 993 mx1
_imap._tcp SRV 0 0 0 .
long TXT ${inMasterFile(long)}
${many.map(address => `www A ${address}`).join('\n')}
alias CNAME mx1
*.wild A 192.0.2.99
sub NS ns.other.example.
25 PTR mx1
${more}
`

const expected: readonly RRsetResource[] = [
  rrset(apex, '@', 'SOA', [`ns1.operator.example ${mailboxName('first.last@operator.example')} 10800 3600 604800 300`]),
  rrset(apex, '@', 'NS', ['ns1.operator.example', 'ns2.operator.example']),
  rrset(apex, '@', 'MX', ['10 mx1.operator.example', '20 mx2.operator.example']),
  rrset(apex, '@', 'TXT', ['v=spf1 mx -all', 'with "quotes" and \\ and ;']),
  rrset(apex, '@', 'CAA', ['0 issue "ca.example"']),
  rrset(apex, 'mx1', 'A', ['192.0.2.25']),
  rrset(apex, 'mx1', 'AAAA', ['2001:db8::25']),
  rrset(apex, '_dmarc', 'TXT', ['v=DMARC1; p=none']),
  rrset(apex, '_imaps._tcp', 'SRV', [`0 1 993 mx1.${apex}`]),
  rrset(apex, '_imap._tcp', 'SRV', ['0 0 0 .']),
  rrset(apex, 'long', 'TXT', [long]),
  rrset(apex, 'www', 'A', many),
  rrset(apex, 'alias', 'CNAME', [`mx1.${apex}`]),
  rrset(apex, '*.wild', 'A', ['192.0.2.99']),
  rrset(apex, 'sub', 'NS', ['ns.other.example']),
  rrset(apex, '25', 'PTR', [`mx1.${apex}`]),
  rrset(apex, 'gone', 'A', []),
  rrset(apex, 'mx1', 'TXT', []),
]

const probe = (ports: readonly number[], over: Partial<ZoneProbe> = {}) =>
  probeZone({
    nameServers: ports.map(port => ({ host: '127.0.0.1', port })),
    zone: apex,
    expected,
    timeoutMs: 10_000,
    signal: never,
    ...over,
  })

describeServers('a zone on real name servers', whyNoNamed, () => {
  let first: Named
  let second: Named
  let late: Named
  beforeAll(async () => {
    first = await startNamed({ [apex]: zoneText(7) })
    second = await startNamed({ [apex]: zoneText(7) })
    const other = zoneText(6, 'gone A 192.0.2.200').replace('20 mx2', '30 mx2').replace('25 PTR mx1\n', '')
    late = await startNamed({ [apex]: other.replace('_dmarc TXT', '_dmarc 600 TXT') })
  })
  afterAll(async () => {
    for (const server of [first, second, late]) await server?.stop()
  })

  test('servers that agree with what is expected, records of every type, over UDP and TCP', async () => {
    const found = await probe([first.port, second.port])
    expect(found.servers.map(({ differences, detail }) => ({ differences, detail }))).toEqual([
      { differences: [], detail: null },
      { differences: [], detail: null },
    ])
    expect(found.servers.map(({ serial }) => serial)).toEqual([7, 7])
    expect(found).toMatchObject({ isAsExpected: true, hasOneSerial: true })
  })

  test('a server that is behind: its serial, and each RRset that differs, and no other', async () => {
    const found = await probe([first.port, late.port])
    expect(found).toMatchObject({ isAsExpected: false, hasOneSerial: false })
    expect(found.servers[0]?.differences).toEqual([])
    expect(found.servers[1]).toMatchObject({ server: `127.0.0.1:${late.port}`, serial: 6, trouble: null })
    const differences = found.servers[1]?.differences.map(({ owner, type, found: at }) => [
      owner,
      type,
      at?.ttl,
      at?.values,
    ])
    expect(differences).toEqual([
      [apex, 'MX', 300, ['10 mx1.operator.example', '30 mx2.operator.example']],
      [`_dmarc.${apex}`, 'TXT', 600, ['v=DMARC1; p=none']],
      [`25.${apex}`, 'PTR', null, []],
      [`gone.${apex}`, 'A', 300, ['192.0.2.200']],
    ])
  })

  test('a server that does not have the zone, and one that is down', async () => {
    const found = await probe([first.port, await freePort()], { zone: 'other.example', expected: [], timeoutMs: 2_000 })
    expect(found).toMatchObject({ isAsExpected: false, hasOneSerial: false })
    expect(found.servers[0]).toMatchObject({
      trouble: 'wrong-answer',
      serial: null,
      detail: 'REFUSED, without authority',
    })
    expect(found.servers[1]).toMatchObject({ trouble: 'unreachable', serial: null })
    expect(found.servers[1]?.detail).toMatch(/ECONNREFUSED|in time/)
  })

  test('a name below a delegation is not answered with authority', async () => {
    const found = await probe([first.port], { expected: [rrset(apex, 'www.sub', 'A', ['192.0.2.1'])] })
    expect(found.servers[0]?.differences).toEqual([
      {
        owner: `www.sub.${apex}`,
        type: 'A',
        expected: { ttl: 300, values: ['192.0.2.1'] },
        found: null,
        detail: 'NOERROR, without authority',
      },
    ])
  })

  /** What the first server says, octet for octet. */
  async function answerOf(name: string, type: 'SOA' | 'MX' | 'TXT' | 'SRV' | 'CAA' | 'AAAA'): Promise<Buffer> {
    const socket = createSocket('udp4')
    try {
      return await new Promise<Buffer>(resolve => {
        socket.on('message', resolve)
        socket.send(formatQuery(77, { name, type }) ?? Buffer.alloc(0), first.port, '127.0.0.1')
      })
    } finally {
      socket.close()
    }
  }

  test('an answer with octets changed or missing is read or passed over, never thrown at us', async () => {
    const asked = [
      [apex, 'SOA'],
      [apex, 'MX'],
      [apex, 'TXT'],
      [apex, 'CAA'],
      [`_imaps._tcp.${apex}`, 'SRV'],
      [`mx1.${apex}`, 'AAAA'],
    ] as const
    for (const [name, type] of asked) {
      const message = await answerOf(name, type)
      expect(parseAnswer(message, 77, { name, type })?.answers.length).toBeGreaterThan(0)
      expect(parseAnswer(message, 78, { name, type })).toBeUndefined()
      expect(parseAnswer(message, 77, { name: `x.${name}`, type })).toBeUndefined()
      expect(parseAnswer(message, 77, { name, type: 'A' })).toBeUndefined()
      for (let length = 0; length < message.length; length++)
        parseAnswer(message.subarray(0, length), 77, { name, type })
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.nat(message.length - 1), fc.nat(255)), { maxLength: 6 }), changes => {
          const changed = Buffer.from(message)
          for (const [at, octet] of changes) changed[at] = octet
          parseAnswer(changed, 77, { name, type })
        }),
        { numRuns: 2_000 },
      )
    }
  })
})

describe('name servers that lie', () => {
  const sockets: Datagrams[] = []
  const twins: Twin[] = []
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.close()
    for (const twin of twins.splice(0)) await twin.stop()
  })

  async function liar(answer: (query: Buffer, from: RemoteInfo, socket: Datagrams) => void, port = 0): Promise<number> {
    const socket = createSocket('udp4')
    sockets.push(socket)
    socket.on('message', (query, from) => answer(query, from, socket))
    await new Promise<void>(resolve => socket.bind(port, '127.0.0.1', resolve))
    return socket.address().port
  }
  const back = (change: (query: Buffer) => Buffer) => (query: Buffer, from: RemoteInfo, socket: Datagrams) =>
    socket.send(change(query), from.port, from.address)
  const withFlags = (query: Buffer, flags: number) => {
    const answer = Buffer.from(query)
    answer.writeUInt16BE(flags, 2)
    return answer
  }
  const authoritative = 0x8400

  test.each<[string, (query: Buffer, from: RemoteInfo, socket: Datagrams) => void, string]>([
    ['says nothing', () => {}, 'unreachable'],
    ['sends garbage', back(() => Buffer.from('hello there, this is no name server')), 'unreachable'],
    ['sends nothing at all', back(() => Buffer.alloc(0)), 'unreachable'],
    ['sends the question back', back(query => query), 'unreachable'],
    [
      'answers another id',
      back(query => {
        const answer = withFlags(query, authoritative)
        answer.writeUInt16BE((query.readUInt16BE(0) + 1) & 0xffff, 0)
        return answer
      }),
      'unreachable',
    ],
    [
      'answers another question',
      back(query => {
        const answer = withFlags(query, authoritative)
        answer[13] = 0x7a
        return answer
      }),
      'unreachable',
    ],
    [
      'promises records that are not there',
      back(query => {
        const answer = withFlags(query, authoritative)
        answer.writeUInt16BE(9, 6)
        return answer
      }),
      'unreachable',
    ],
    ['has no SOA', back(query => withFlags(query, authoritative)), 'wrong-answer'],
    ['fails', back(query => withFlags(query, 0x8402)), 'wrong-answer'],
    ['has no authority', back(query => withFlags(query, 0x8000)), 'wrong-answer'],
    ['is truncated, with nothing behind TCP', back(query => withFlags(query, 0x8600)), 'unreachable'],
  ])('one that %s', async (_, answer, trouble) => {
    const began = performance.now()
    const found = await probe([await liar(answer)], { timeoutMs: 300 })
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(found).toMatchObject({ isAsExpected: false, servers: [{ trouble, serial: null }] })
  })

  test('one that answers from another address is not heard', async () => {
    const other = createSocket('udp4')
    sockets.push(other)
    await new Promise<void>(resolve => other.bind(0, '127.0.0.2', resolve))
    const port = await liar((query, from) => other.send(withFlags(query, authoritative), from.port, from.address))
    expect(await probe([port], { timeoutMs: 300 })).toMatchObject({ servers: [{ trouble: 'unreachable' }] })
  })

  test.each<[string, Parameters<typeof startTwin>[0]]>([
    ['hangs', hang],
    ['closes', socket => socket.end()],
    ['resets', socket => socket.resetAndDestroy()],
    ['sends without end', socket => socket.write(Buffer.alloc(200_000, 0xff))],
    [
      'sends the truncated answer again',
      socket =>
        socket.on('data', data =>
          socket.write(Buffer.concat([data.subarray(0, 2), withFlags(data.subarray(2), 0x8600)])),
        ),
    ],
  ])('one that is truncated and over TCP %s', async (_, speak) => {
    const twin = await startTwin(speak)
    twins.push(twin)
    await liar(
      back(query => withFlags(query, 0x8600)),
      twin.port,
    )
    expect(await probe([twin.port], { timeoutMs: 300 })).toMatchObject({ servers: [{ trouble: 'unreachable' }] })
    expect(twin.connections()).toBe(1)
  })

  test('a datagram that is lost is sent again', async () => {
    let asked = 0
    const port = await liar((query, from, socket) => {
      asked += 1
      if (asked > 1) socket.send(withFlags(query, 0x8405), from.port, from.address)
    })
    expect(await probe([port], { timeoutMs: 10_000 })).toMatchObject({ servers: [{ detail: 'REFUSED' }] })
    expect(asked).toBe(2)
  })

  test('names that are none, pointers that go round', async () => {
    expect(formatQuery(1, { name: 'a..b', type: 'A' })).toBeUndefined()
    const loop = Buffer.from('000184000001000000000000c00c00010001', 'hex')
    expect(parseAnswer(loop, 1, { name: 'a', type: 'A' })).toBeUndefined()
    const stopped = await probe([1], { signal: AbortSignal.abort() })
    expect(stopped.servers[0]?.trouble).toBe('unreachable')
  })
})
