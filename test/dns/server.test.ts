/** The server as a resolver sees it: asked with `dig` over UDP and TCP, and over bare sockets where dig is too polite. */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatDkim, generateDkimKey } from '../../agent/standards/dkim.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import {
  applyAll,
  create,
  openTemporary,
  remove,
  rrset,
  soa,
  type TemporaryDns,
  update,
  writeBehind,
  zone,
} from './bench.ts'

const apex = 'hcg.example'
const { publicKey } = await generateDkimKey()
const dkim = formatDkim({ keyType: 'rsa', publicKey, flags: [] })
const longText = 'x'.repeat(700)
const many = Array.from({ length: 120 }, (_, index) => `192.0.2.${index + 1}`)

const records: DnsResource[] = [
  zone(apex),
  soa(apex),
  rrset(apex, '@', 'NS', ['ns1.hcg.example', 'ns2.operator.example']),
  rrset(apex, 'ns1', 'A', ['192.0.2.53']),
  rrset(apex, '@', 'MX', ['10 mx1.hcg.example', '20 mx2.operator.example']),
  rrset(apex, 'mx1', 'A', ['192.0.2.25']),
  rrset(apex, 'mx1', 'AAAA', ['2001:db8::25']),
  rrset(apex, '@', 'TXT', ['v=spf1 mx -all', 'quoted "text" with \\ and ;']),
  rrset(apex, 'mw1._domainkey', 'TXT', [dkim]),
  rrset(apex, '_dmarc', 'TXT', ['v=DMARC1; p=quarantine; rua=mailto:d@operator.example']),
  rrset(apex, '@', 'CAA', ['0 issue "ca.example"', '128 iodef "mailto:seg@operator.example"']),
  rrset(apex, '_imaps._tcp', 'SRV', ['0 1 993 mx1.hcg.example']),
  rrset(apex, '_imap._tcp', 'SRV', ['0 0 0 .']),
  rrset(apex, 'www', 'A', many),
  rrset(apex, 'big', 'MX', ['10 www.hcg.example']),
  rrset(apex, 'long', 'TXT', [longText]),
  rrset(apex, 'silent', 'MX', ['0 .']),
  rrset(apex, 'alias', 'CNAME', ['alias2.hcg.example']),
  rrset(apex, 'alias2', 'CNAME', ['mx1.hcg.example']),
  rrset(apex, 'outside', 'CNAME', ['www.other.example']),
  rrset(apex, 'dangling', 'CNAME', ['nothing.hcg.example']),
  rrset(apex, 'loop1', 'CNAME', ['loop2.hcg.example']),
  rrset(apex, 'loop2', 'CNAME', ['loop1.hcg.example']),
  rrset(apex, '*.wild', 'A', ['192.0.2.99']),
  rrset(apex, 'there.wild', 'TXT', ['here']),
  rrset(apex, 'sub', 'NS', ['ns.sub.hcg.example', 'ns.other.example']),
  rrset(apex, 'ns.sub', 'A', ['192.0.2.200']),
  rrset(apex, 'ptr', 'PTR', ['mx1.hcg.example']),
  zone('deep.hcg.example'),
  soa('deep.hcg.example'),
  rrset('deep.hcg.example', '@', 'A', ['192.0.2.77']),
  zone('half.example'),
  rrset('half.example', '@', 'A', ['192.0.2.66']),
]

let one: TemporaryDns
let port = 0

beforeAll(async () => {
  one = await openTemporary('127.0.0.1:0')
  port = one.dns.listening?.port ?? 0
  const outcomes = await applyAll(one.dns, records.map(create))
  expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
})
afterAll(() => one[Symbol.asyncDispose]())

type Dug = {
  status: string
  flags: string[]
  answer: string[]
  authority: string[]
  additional: string[]
  question: string[]
  text: string
}

const execute = promisify(execFile)

/** Sections as lines of single-blank fields, the OPT line left out. */
async function dig(...wanted: string[]): Promise<Dug> {
  const options = [
    '@127.0.0.1',
    '-p',
    String(port),
    '+tries=1',
    '+time=5',
    '+norecurse',
    '+nocookie',
    '+noall',
    '+comments',
    '+question',
    '+answer',
    '+authority',
    '+additional',
  ]
  const { stdout } = await execute('dig', [...options, ...wanted])
  const section = (name: string) => {
    const lines = new RegExp(`;; ${name} SECTION:\n((?:[^\n]+\n)+)`).exec(stdout)?.[1] ?? ''
    return lines
      .trim()
      .split('\n')
      .filter(Boolean)
      .map(line => line.replace(/\s+/g, ' '))
      .sort()
  }
  return {
    status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none',
    flags: (/flags: ([^;]*);/.exec(stdout)?.[1] ?? '').split(' ').filter(Boolean),
    answer: section('ANSWER'),
    authority: section('AUTHORITY'),
    additional: section('ADDITIONAL'),
    question: section('QUESTION'),
    text: stdout,
  }
}

const soaNegative =
  'hcg.example. 3600 IN SOA ns1.operator.example. hostmaster.operator.example. 1 10800 3600 604800 3600'

describe.each(['+notcp', '+tcp'])('dig %s', transport => {
  test('MX, with the addresses of its own exchangers', async () => {
    const dug = await dig(transport, apex, 'MX')
    expect(dug).toMatchObject({
      status: 'NOERROR',
      flags: ['qr', 'aa'],
      answer: ['hcg.example. 300 IN MX 10 mx1.hcg.example.', 'hcg.example. 300 IN MX 20 mx2.operator.example.'],
      authority: [],
      additional: ['mx1.hcg.example. 300 IN A 192.0.2.25', 'mx1.hcg.example. 300 IN AAAA 2001:db8::25'],
    })
  })

  test('null MX and a service that is not offered', async () => {
    expect((await dig(transport, `silent.${apex}`, 'MX')).answer).toEqual(['silent.hcg.example. 300 IN MX 0 .'])
    expect((await dig(transport, `_imap._tcp.${apex}`, 'SRV')).answer).toEqual([
      '_imap._tcp.hcg.example. 300 IN SRV 0 0 0 .',
    ])
  })

  test('SPF and other texts, whatever they contain', async () => {
    expect((await dig(transport, apex, 'TXT')).answer).toEqual([
      'hcg.example. 300 IN TXT "quoted \\"text\\" with \\\\ and ;"',
      'hcg.example. 300 IN TXT "v=spf1 mx -all"',
    ])
  })

  test('a DKIM key of more than 255 octets, in pieces that make the key again', async () => {
    const { answer } = await dig(transport, `mw1._domainkey.${apex}`, 'TXT')
    const pieces = [...(answer[0] ?? '').matchAll(/"([^"]*)"/g)].map(match => match[1] ?? '')
    expect(pieces.map(piece => piece.length)).toEqual([255, dkim.length - 255])
    expect(pieces.join('')).toBe(dkim)
  })

  test('DMARC, SOA, NS, CAA, SRV, PTR', async () => {
    expect((await dig(transport, `_dmarc.${apex}`, 'TXT')).answer).toEqual([
      '_dmarc.hcg.example. 300 IN TXT "v=DMARC1; p=quarantine; rua=mailto:d@operator.example"',
    ])
    expect((await dig(transport, apex, 'SOA')).answer).toEqual([soaNegative.replace(' 3600 IN', ' 7200 IN')])
    const ns = await dig(transport, apex, 'NS')
    expect(ns.answer).toEqual([
      'hcg.example. 300 IN NS ns1.hcg.example.',
      'hcg.example. 300 IN NS ns2.operator.example.',
    ])
    expect(ns.additional).toEqual(['ns1.hcg.example. 300 IN A 192.0.2.53'])
    expect((await dig(transport, apex, 'CAA')).answer).toEqual([
      'hcg.example. 300 IN CAA 0 issue "ca.example"',
      'hcg.example. 300 IN CAA 128 iodef "mailto:seg@operator.example"',
    ])
    expect((await dig(transport, `_imaps._tcp.${apex}`, 'SRV')).answer).toEqual([
      '_imaps._tcp.hcg.example. 300 IN SRV 0 1 993 mx1.hcg.example.',
    ])
    expect((await dig(transport, `ptr.${apex}`, 'PTR')).answer).toEqual([
      'ptr.hcg.example. 300 IN PTR mx1.hcg.example.',
    ])
  })

  test('a name that is not there, and a type that is not there', async () => {
    const absent = { answer: [], authority: [soaNegative], additional: [], flags: ['qr', 'aa'] }
    expect(await dig(transport, `nothing.${apex}`, 'A')).toMatchObject({ ...absent, status: 'NXDOMAIN' })
    expect(await dig(transport, `a.b.nothing.${apex}`, 'MX')).toMatchObject({ ...absent, status: 'NXDOMAIN' })
    expect(await dig(transport, `ns1.${apex}`, 'MX')).toMatchObject({ ...absent, status: 'NOERROR' })
    expect(await dig(transport, `ns1.${apex}`, 'TYPE65280')).toMatchObject({ ...absent, status: 'NOERROR' })
  })

  test('a name that only has names below it is there', async () => {
    for (const name of ['_tcp', '_domainkey', 'wild'])
      expect(await dig(transport, `${name}.${apex}`, 'A')).toMatchObject({
        status: 'NOERROR',
        answer: [],
        authority: [soaNegative],
      })
  })

  test('aliases are followed within the zone', async () => {
    expect((await dig(transport, `alias.${apex}`, 'A')).answer).toEqual([
      'alias.hcg.example. 300 IN CNAME alias2.hcg.example.',
      'alias2.hcg.example. 300 IN CNAME mx1.hcg.example.',
      'mx1.hcg.example. 300 IN A 192.0.2.25',
    ])
    expect((await dig(transport, `alias.${apex}`, 'CNAME')).answer).toEqual([
      'alias.hcg.example. 300 IN CNAME alias2.hcg.example.',
    ])
    expect(await dig(transport, `alias.${apex}`, 'MX')).toMatchObject({ status: 'NOERROR', authority: [soaNegative] })
    expect(await dig(transport, `outside.${apex}`, 'A')).toMatchObject({
      status: 'NOERROR',
      answer: ['outside.hcg.example. 300 IN CNAME www.other.example.'],
      authority: [],
    })
    expect(await dig(transport, `dangling.${apex}`, 'A')).toMatchObject({
      status: 'NXDOMAIN',
      authority: [soaNegative],
    })
    expect((await dig(transport, `loop1.${apex}`, 'A')).answer.length).toBe(2)
  })

  test('wildcards stand for what is not there, and for nothing else', async () => {
    expect(await dig(transport, `a.b.wild.${apex}`, 'A')).toMatchObject({
      status: 'NOERROR',
      answer: ['a.b.wild.hcg.example. 300 IN A 192.0.2.99'],
    })
    expect(await dig(transport, `a.wild.${apex}`, 'MX')).toMatchObject({
      status: 'NOERROR',
      answer: [],
      authority: [soaNegative],
    })
    expect(await dig(transport, `there.wild.${apex}`, 'A')).toMatchObject({ status: 'NOERROR', answer: [] })
    expect(await dig(transport, `x.there.wild.${apex}`, 'A')).toMatchObject({ status: 'NXDOMAIN' })
    expect((await dig(transport, `*.wild.${apex}`, 'A')).answer).toEqual(['*.wild.hcg.example. 300 IN A 192.0.2.99'])
  })

  test('what is delegated is referred to, without authority', async () => {
    for (const name of ['sub', 'x.y.sub'])
      expect(await dig(transport, `${name}.${apex}`, 'A')).toMatchObject({
        status: 'NOERROR',
        flags: ['qr'],
        answer: [],
        authority: ['sub.hcg.example. 300 IN NS ns.other.example.', 'sub.hcg.example. 300 IN NS ns.sub.hcg.example.'],
        additional: ['ns.sub.hcg.example. 300 IN A 192.0.2.200'],
      })
    expect(await dig(transport, `sub.${apex}`, 'DS')).toMatchObject({ flags: ['qr', 'aa'], authority: [soaNegative] })
  })

  test('the deepest zone answers', async () => {
    expect((await dig(transport, `deep.${apex}`, 'A')).answer).toEqual(['deep.hcg.example. 300 IN A 192.0.2.77'])
    expect((await dig(transport, `x.deep.${apex}`, 'A')).authority[0]).toMatch(/^deep\.hcg\.example\. /)
  })

  test('a zone without SOA is not complete: no answer is better than "no such name"', async () => {
    expect((await dig(transport, 'half.example', 'MX')).status).toBe('SERVFAIL')
  })

  test('what is not ours is refused', async () => {
    const refused = { status: 'REFUSED', answer: [], authority: [] }
    expect(await dig(transport, 'other.example', 'A')).toMatchObject(refused)
    expect(await dig(transport, 'example', 'NS')).toMatchObject(refused)
    expect(await dig(transport, '.', 'NS')).toMatchObject(refused)
    expect(await dig(transport, `x${apex}`, 'A')).toMatchObject(refused)
    expect(await dig(transport, '-c', 'CH', 'version.bind', 'TXT')).toMatchObject(refused)
    expect(await dig(transport, '-c', 'CH', apex, 'SOA')).toMatchObject(refused)
  })

  test('ANY gets one RRset', async () => {
    const { answer } = await dig(transport, apex, 'ANY', ...(transport === '+notcp' ? ['+notcp'] : []))
    expect(new Set(answer.map(line => line.split(' ')[3]))).toEqual(new Set(['NS']))
  })

  test('other operations are not implemented', async () => {
    for (const opcode of ['notify', 'update', 'iquery', 'status', '15'])
      expect((await dig(transport, `+opcode=${opcode}`, apex, 'SOA')).status).toBe('NOTIMP')
  })

  test('a later EDNS version is told so', async () => {
    const dug = await dig(transport, '+edns=1', '+noednsnegotiation', apex, 'SOA')
    expect(dug.status).toBe('BADVERS')
    expect(dug.text).toContain('EDNS: version: 0, flags:; udp: 1232')
    expect((await dig(transport, '+noedns', apex, 'SOA')).text).not.toContain('EDNS')
    expect((await dig(transport, '+dnssec', apex, 'SOA')).text).toContain('EDNS: version: 0, flags: do; udp: 1232')
  })

  test('the case of the question comes back', async () => {
    const dug = await dig(transport, 'Mx1.hCg.EXAMPLE', 'A')
    expect(dug.question).toEqual([';Mx1.hCg.EXAMPLE. IN A'])
    expect(dug.answer).toEqual(['Mx1.hCg.EXAMPLE. 300 IN A 192.0.2.25'])
  })

  test('a label with a dot in it is another name', async () => {
    expect((await dig(transport, 'mx1\\.hcg.example', 'A')).status).toBe('REFUSED')
    const dug = await dig(transport, 'mx1\\.x.hcg.example', 'A')
    expect(dug.status).toBe('NXDOMAIN')
    expect(dug.question).toEqual([';mx1\\.x.hcg.example. IN A'])
  })
})

describe('size', () => {
  test('what does not fit a datagram is cut with TC, and whole over TCP', async () => {
    const cut = await dig('+notcp', '+ignore', `www.${apex}`, 'A')
    expect(cut).toMatchObject({
      status: 'NOERROR',
      flags: ['qr', 'aa', 'tc'],
      answer: [],
      question: [';www.hcg.example. IN A'],
    })
    const whole = await dig('+notcp', `www.${apex}`, 'A')
    expect(whole.text).toContain('Truncated, retrying in TCP mode')
    expect(whole.answer.length).toBe(many.length)
  })

  test('the client’s size counts, and no more than 1232 octets', async () => {
    expect((await dig('+notcp', '+ignore', '+noedns', `long.${apex}`, 'TXT')).flags).toContain('tc')
    expect((await dig('+notcp', '+ignore', '+bufsize=600', `long.${apex}`, 'TXT')).flags).toContain('tc')
    expect((await dig('+notcp', '+ignore', '+bufsize=1000', `long.${apex}`, 'TXT')).answer.length).toBe(1)
    expect((await dig('+notcp', '+ignore', '+bufsize=65535', `www.${apex}`, 'A')).flags).toContain('tc')
    // Below 512 counts as 512 (RFC 6891 section 6.2.5).
    expect((await dig('+notcp', '+ignore', '+bufsize=100', apex, 'CAA')).answer.length).toBe(2)
  })

  test('courtesy addresses go before the answer is cut', async () => {
    const dug = await dig('+notcp', '+ignore', `big.${apex}`, 'MX')
    expect(dug).toMatchObject({
      flags: ['qr', 'aa'],
      answer: ['big.hcg.example. 300 IN MX 10 www.hcg.example.'],
      additional: [],
    })
    expect((await dig('+tcp', `big.${apex}`, 'MX')).additional.length).toBe(many.length)
  })
})

describe('AXFR and changes', () => {
  test('a transfer is refused', async () => {
    const { stdout } = await execute('dig', ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=5', apex, 'AXFR'])
    expect(stdout).toContain('Transfer failed')
  })

  test('a change is served at once, whoever makes it', async () => {
    const host = rrset(apex, 'fresh', 'A', ['192.0.2.1'])
    const ask = async () => (await dig('+notcp', `fresh.${apex}`, 'A')).answer.map(line => line.split(' ')[4])
    expect(await ask()).toEqual([])
    await applyAll(one.dns, [create(host)])
    expect(await ask()).toEqual(['192.0.2.1'])
    await applyAll(one.dns, [update(host, { ...host, values: ['192.0.2.2'] })])
    expect(await ask()).toEqual(['192.0.2.2'])
    writeBehind(one.file, host, { ...host, values: ['192.0.2.3'] })
    expect(await ask()).toEqual(['192.0.2.3'])
    writeBehind(one.file, host, { ...host, values: ['no address', '192.0.2.4'] })
    expect(await ask()).toEqual(['192.0.2.4'])
    writeBehind(one.file, host, null)
    expect(await ask()).toEqual([])
  })

  test('a zone comes and goes', async () => {
    const changes = [zone('new.example'), soa('new.example')]
    expect((await dig('new.example', 'SOA')).status).toBe('REFUSED')
    await applyAll(one.dns, changes.map(create))
    expect((await dig('new.example', 'SOA')).status).toBe('NOERROR')
    await applyAll(one.dns, changes.map(remove))
    expect((await dig('new.example', 'SOA')).status).toBe('REFUSED')
  })
})

/** A query of one question, by hand. */
function query(id: number, name: string, type: number): Buffer {
  const labels = name.split('.').flatMap(label => [Buffer.from([label.length]), Buffer.from(label)])
  const header = Buffer.from([id >> 8, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([header, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1])])
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 255]), message])
}

async function readMessages(socket: AsyncIterable<Buffer>, count: number): Promise<Buffer[]> {
  let pending = Buffer.alloc(0)
  const messages: Buffer[] = []
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 2 && pending.length >= pending.readUInt16BE(0) + 2) {
      messages.push(pending.subarray(2, pending.readUInt16BE(0) + 2))
      pending = pending.subarray(pending.readUInt16BE(0) + 2)
    }
    if (messages.length >= count) break
  }
  return messages
}

describe('a TCP connection', () => {
  test('split reads and pipelined queries are answered in order', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    await once(socket, 'connect')
    const ids = Array.from({ length: 200 }, (_, index) => index + 1)
    const octets = Buffer.concat(
      ids.map(id => framed(query(id, id % 3 === 0 ? `www.${apex}` : apex, id % 2 === 0 ? 15 : 6))),
    )
    const answers = readMessages(socket, ids.length)
    for (let at = 0; at < octets.length; ) {
      const size = at < 60 ? 1 : 777
      await new Promise(resolve => socket.write(octets.subarray(at, at + size), resolve))
      at += size
    }
    expect((await answers).map(message => message.readUInt16BE(0))).toEqual(ids)
  })

  test('a client that asks much and reads late gets every answer, in order', async () => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const ids = Array.from({ length: 5000 }, (_, index) => index + 1)
    // About 10 MB of answers: more than kernel and server hold for one client.
    socket.end(Buffer.concat(ids.map(id => framed(query(id, `www.${apex}`, 1)))))
    expect((await dig('+tcp', apex, 'SOA')).answer.length).toBe(1)
    const answers = await readMessages(socket, ids.length)
    expect(answers.map(message => message.readUInt16BE(0))).toEqual(ids)
  })

  test('a client that has said all still gets its answer', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.end(framed(query(7, apex, 6)))
    const [answer] = await readMessages(socket, 1)
    expect(answer?.readUInt16BE(0)).toBe(7)
  })

  test('a message beyond the limit ends the connection', async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]))
    await once(socket, 'close')
    expect(socket.destroyed).toBe(true)
  })
})

describe('bare datagrams', () => {
  test('a few hundred mutilated ones, and the server still answers', async () => {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const sound = query(1, apex, 15)
    for (let index = 0; index < 400; index += 1) {
      const octets = Buffer.from(sound.subarray(0, 1 + (index % sound.length)))
      octets[index % octets.length] = (index * 37) & 255
      socket.send(octets, port, '127.0.0.1')
      // The server lives in this process: it needs its turn before the kernel's buffer is full.
      await new Promise(resolve => setImmediate(resolve))
    }
    const answered = new Promise<Buffer>(resolve =>
      socket.on('message', message => {
        if (message.readUInt16BE(0) === 0xbeef) resolve(message)
      }),
    )
    const last = Buffer.from(sound)
    last.writeUInt16BE(0xbeef, 0)
    socket.send(last, port, '127.0.0.1')
    const answer = await answered
    socket.close()
    expect(answer.readUInt16BE(6)).toBe(2)
  })

  test('an answer is not answered', async () => {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const reply = query(1, apex, 6)
    reply[2] = 0x80
    socket.send(reply, port, '127.0.0.1')
    socket.send(query(2, apex, 6), port, '127.0.0.1')
    const [first] = (await once(socket, 'message')) as [Buffer]
    socket.close()
    expect(first.readUInt16BE(0)).toBe(2)
  })
})

test('the port is free again after close, and a taken one is a failure that tells it', async () => {
  const mine = await openTemporary('127.0.0.1:0')
  const endpoint = `127.0.0.1:${mine.dns.listening?.port}`
  await expect(openTemporary(endpoint)).rejects.toThrow(endpoint)
  await mine[Symbol.asyncDispose]()
  await using again = await openTemporary(endpoint)
  expect(again.dns.listening).toEqual({ host: '127.0.0.1', port: Number(endpoint.split(':')[1]) })
  await expect(openTemporary('nonsense')).rejects.toThrow('nonsense')
})
