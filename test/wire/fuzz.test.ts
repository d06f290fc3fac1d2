/**
 * Mutated requests over reader and decision, in process and over sockets (R22): none crashes it, none is let through
 * wrongly. What is well-formed is answered as the naive evaluator says; what is not gets no answer.
 */
import { expect, test } from 'vitest'
import { decide } from '../../agent/decision/decide.ts'
import { PolicyServer } from '../../agent/decision/server.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import { at, toWorld } from '../../agent/policy-test/world.ts'
import { createRequestReader, formatResponse, type PolicyRequest } from '../../agent/standards/policy-delegation.ts'
import {
  chooseSeed,
  createRandom,
  formatRequest,
  type Random,
  randomEstate,
  randomRequest,
} from '../decision/generate.ts'
import { decideNaively } from '../decision/naive.ts'
import { exchange } from './client.ts'
import { readNaively } from './naive-reader.ts'

const random = createRandom(chooseSeed())
const estate = randomEstate(random)
const world = toWorld(estate)
const snapshot = buildSnapshot({ ...world, config: { ...world.config, modes: { rate: 'off' } } })
const inProcess = 100_000
const overSockets = 3_000
/** The naive evaluator is slow; one in so many is asked in process, every one over sockets. */
const naiveEach = 4

const nasty = [
  '\0',
  '\r',
  '\n',
  '\n\n',
  '=',
  '\r\n',
  'sender=',
  'request=smtpd_access_policy\n',
  '\xff',
  '\xc3',
  '@',
  '%',
  '"',
  ' ',
  'action=OK\n\n',
  'v'.repeat(17_000),
]

function mutate(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  const place = random.below(text.length + 1)
  const lines = text.split('\n')
  const line = random.below(lines.length)
  switch (random.below(8)) {
    case 0:
      return Buffer.from(
        text.slice(0, place) + String.fromCharCode(random.below(256)) + text.slice(place + 1),
        'latin1',
      )
    case 1:
      return Buffer.from(text.slice(0, place), 'latin1')
    case 2:
      return Buffer.from(text.slice(0, place) + text.slice(place + random.below(40)), 'latin1')
    case 3:
      return Buffer.from(text.slice(0, place) + random.pick(nasty) + text.slice(place), 'latin1')
    case 4:
      return Buffer.from(lines.toSpliced(line, 0, lines[line] ?? '').join('\n'), 'latin1')
    case 5:
      return Buffer.from(lines.toSpliced(line, 1).join('\n'), 'latin1')
    case 6: {
      const [moved = ''] = lines.splice(line, 1)
      return Buffer.from(lines.toSpliced(random.below(lines.length), 0, moved).join('\n'), 'latin1')
    }
    default:
      return bytes
  }
}

function mutatedBytes(generator: Random): Buffer {
  const count = generator.chance(0.3) ? 1 + generator.below(4) : 1
  const whole = Array.from({ length: count }, () => formatRequest(randomRequest(generator, estate))).join('')
  let bytes: Buffer = Buffer.from(whole, 'utf8')
  for (let times = generator.below(3); times >= 0; times -= 1) bytes = mutate(bytes)
  return bytes
}

function readInPieces(bytes: Buffer): { requests: PolicyRequest[]; ending: string } {
  const reader = createRequestReader()
  const requests: PolicyRequest[] = []
  const text = bytes.toString('latin1')
  for (let from = 0; from < text.length; ) {
    const to = random.chance(0.5) ? text.length : from + 1 + random.below(400)
    reader.push(text.slice(from, to))
    from = to
    for (let next = reader.next(); next !== 'incomplete'; next = reader.next()) {
      if (next === 'malformed') return { requests, ending: 'malformed' }
      requests.push(next)
    }
  }
  return { requests, ending: 'incomplete' }
}

/** What the naive evaluator answers, as far as it tells: effect by code. */
function naiveCode(request: PolicyRequest): string {
  return decideNaively({ ...world, config: { ...world.config, modes: {} } }, request, at, estate.country).code
}

test('in process', { timeout: 300_000 }, () => {
  let wellFormed = 0
  let malformed = 0
  for (let count = 0; count < inProcess; count += 1) {
    const bytes = mutatedBytes(random)
    const found = readInPieces(bytes)
    const naive = readNaively(bytes)
    if (found.ending !== naive.ending || JSON.stringify(found.requests) !== JSON.stringify(naive.requests)) {
      expect({ ...found, bytes: bytes.toString('latin1').slice(0, 3000) }).toEqual(naive)
    }
    if (found.ending === 'malformed') malformed += 1
    for (const request of found.requests) {
      wellFormed += 1
      const { reply } = decide(snapshot, request, { at, usage: null })
      if (!/^(DUNNO|[45]\d\d [45]\.\d\.\d [\x20-\x7e]+)$/.test(reply)) expect({ reply, request }).toBe('an answer')
      if (count % naiveEach === 0 && reply.slice(0, 9) !== naiveCode(request))
        expect({ reply, request }).toBe(naiveCode(request))
    }
  }
  console.log({ wellFormed, malformed })
  expect(malformed).toBeGreaterThan(inProcess / 10)
  expect(wellFormed).toBeGreaterThan(inProcess / 10)
})

test('over sockets', { timeout: 300_000 }, async () => {
  const clock = { now: () => at, sleep: async () => {} }
  const server = new PolicyServer({ clock })
  await server.listen([{ on: '127.0.0.1:0', modes: {} }])
  server.swap(snapshot)
  const [address = ''] = server.addresses
  const abreast = 8
  let answered = 0
  for (let count = 0; count < overSockets; count += abreast) {
    const all = Array.from({ length: abreast }, () => mutatedBytes(random))
    const texts = await Promise.all(all.map(bytes => exchange(address, bytes)))
    for (const [index, bytes] of all.entries()) {
      const { requests } = readNaively(bytes)
      const expected = requests.map(request => formatResponse(decide(snapshot, request, { at, usage: null }).reply))
      expect(texts[index], bytes.toString('latin1')).toBe(expected.join(''))
      const codes = expected.map(answer => answer.slice('action='.length, 'action='.length + 9).trim())
      expect(codes).toEqual(requests.map(naiveCode))
      answered += requests.length
    }
  }
  expect(answered).toBeGreaterThan(overSockets / 4)
  expect(server.counters).toMatchObject({ thrown: 0, late: 0, requests: answered })
  await server.close()
  expect(server.connections).toBe(0)
})
