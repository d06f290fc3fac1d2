/** Whatever octets come in, the answer is a sound message or none, and none of them costs much (R26). */
import { Packet } from 'dns2'
import { describe, expect, test } from 'vitest'
import { queryOctetsMax, respond, udpOctetsMax } from '../../providers/embedded-dns/respond.ts'
import { buildZone, type IndexedZone, type ZoneIndex } from '../../providers/embedded-dns/zone-index.ts'
import { rrset, soa } from './bench.ts'

const apex = 'hcg.example'
const zone = buildZone(apex, {
  serial: 1,
  rrsets: [
    soa(apex),
    rrset(apex, '@', 'MX', ['10 mx1.hcg.example']),
    rrset(apex, 'mx1', 'A', ['192.0.2.25']),
    rrset(apex, 'alias', 'CNAME', ['mx1.hcg.example']),
    rrset(apex, '*.wild', 'TXT', ['x'.repeat(600)]),
    rrset(apex, 'sub', 'NS', ['ns.sub.hcg.example']),
  ],
})
const zones: ZoneIndex = {
  zoneOf: (name): IndexedZone | undefined => (name === apex || name.endsWith(`.${apex}`) ? zone : undefined),
}

/** Small and seeded, so that a failure can be had again. */
function createRandom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

function query(name: string, type: number, withOption: boolean): Buffer {
  const packet = new Packet()
  packet.header = new Packet.Header({ id: 0x1234, rd: 1 })
  packet.questions.push(new Packet.Question({ name, type, class: 1 }))
  if (withOption) packet.additionals.push({ ...Packet.Resource.EDNS([], { udpPayloadSize: 4096 }), name: '' } as never)
  return packet.toBuffer()
}

const seeds = [
  'hcg.example',
  'MX1.hcg.example',
  'alias.hcg.example',
  'a.wild.hcg.example',
  'x.sub.hcg.example',
  'other.example',
  '',
]
  .flatMap(name => [1, 15, 16, 255].map(type => [name, type] as const))
  .flatMap(([name, type]) => [query(name, type, false), query(name, type, true)])

function mutate(octets: Buffer, random: (below: number) => number): Buffer {
  let mutant = Buffer.from(octets)
  for (let times = random(6); times >= 0; times -= 1) {
    const at = random(mutant.length)
    const kind = random(6)
    if (kind === 0) mutant[at] = random(256)
    else if (kind === 1) mutant[at] = (mutant[at] ?? 0) ^ (1 << random(8))
    else if (kind === 2) mutant = mutant.subarray(0, at)
    else if (kind === 3)
      mutant = Buffer.concat([mutant.subarray(0, at), Buffer.from([0xc0, random(64)]), mutant.subarray(at)])
    else if (kind === 4) mutant = Buffer.concat([mutant, mutant.subarray(at)])
    else mutant = Buffer.concat([mutant.subarray(0, at), Buffer.alloc(random(300), random(256)), mutant.subarray(at)])
    if (mutant.length === 0) break
  }
  return mutant
}

describe('the message handler', () => {
  test('gives a sound answer or none to 100,000 mutants', () => {
    const random = createRandom(20260401)
    const rcodes = new Map<number, number>()
    for (let index = 0; index < 100_000; index += 1) {
      const mutant = mutate(seeds[random(seeds.length)] ?? Buffer.alloc(0), random)
      const answer = respond(zones, mutant, index % 2 === 0 ? 'udp' : 'tcp')
      const due = mutant.length >= 12 && ((mutant[2] ?? 0) & 0x80) === 0
      if ((answer !== undefined) !== due) throw new Error(`answered ${answer !== undefined}: ${mutant.toString('hex')}`)
      if (answer === undefined) continue
      const sound =
        answer.readUInt16BE(0) === mutant.readUInt16BE(0) &&
        ((answer[2] ?? 0) & 0x80) !== 0 &&
        (index % 2 === 1 || answer.length <= udpOctetsMax) &&
        Packet.parse(answer).errors.length === 0
      if (!sound) throw new Error(`${mutant.toString('hex')} was answered with ${answer.toString('hex')}`)
      const rcode = (answer[3] ?? 0) & 15
      rcodes.set(rcode, (rcodes.get(rcode) ?? 0) + 1)
    }
    // The mutants reached every kind of answer, and the handler never failed inside.
    expect([...rcodes.keys()].sort()).toEqual([0, 1, 3, 4, 5])
  })

  test('no or several questions are malformed', () => {
    const one = query(apex, 1, false)
    for (const questions of [0, 2, 65_535]) {
      const message = Buffer.from(one)
      message.writeUInt16BE(questions, 4)
      const answer = respond(zones, message, 'udp')
      expect([(answer?.[3] ?? 0) & 15, answer?.readUInt16BE(4)]).toEqual([1, 0])
    }
  })

  test('two OPT records are malformed, and so is one with an owner', () => {
    const option = Buffer.from([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0])
    const twice = Buffer.concat([query(apex, 1, false), option, option])
    twice.writeUInt16BE(2, 10)
    expect((respond(zones, twice, 'udp')?.[3] ?? 0) & 15).toBe(1)
    const owned = Buffer.concat([query(apex, 1, false), Buffer.from([1, 0x61]), option])
    owned.writeUInt16BE(1, 10)
    expect((respond(zones, owned, 'udp')?.[3] ?? 0) & 15).toBe(1)
  })

  test('chains of pointers cost next to nothing', () => {
    const head = query(apex, 1, false)
    const chain = Buffer.alloc(queryOctetsMax - head.length)
    for (let at = 0; at + 1 < chain.length; at += 2)
      chain.writeUInt16BE(0xc000 | Math.min(head.length + at + 2, 0x3fff), at)
    const message = Buffer.concat([head, chain])
    message.writeUInt16BE(4, 10)
    // 200 of the worst ones: quadratic decoding would take minutes and meet the test's time limit.
    for (let times = 0; times < 200; times += 1) expect((respond(zones, message, 'tcp')?.[3] ?? 0) & 15).toBe(1)
    expect((respond(zones, Buffer.concat([message, chain]), 'tcp')?.[3] ?? 0) & 15).toBe(1)
  })

  test('a failure inside is told as one', () => {
    const broken: ZoneIndex = {
      zoneOf: () => {
        throw new Error('the disk is gone')
      },
    }
    expect((respond(broken, query(apex, 1, true), 'udp')?.[3] ?? 0) & 15).toBe(2)
  })
})
