/** TSIG: what the key signed verifies, and nothing else does, whatever is done to it; messages of any form crash nothing. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { encodeQuery, parseMessage } from '../../agent/standards/dns-message.ts'
import { encodeUpdate } from '../../agent/standards/dns-update.ts'
import { numbers } from '../../agent/standards/dns-wire.ts'
import {
  createStreamVerifier,
  secretOctets,
  signFollowing,
  signMessage,
  type TsigKey,
  tsigAlgorithms,
  unsignedMessagesMax,
  verifyAnswer,
  verifyRequest,
} from '../../agent/standards/tsig.ts'

const at = 1_700_000_000_000
const secret = new Secret(Buffer.alloc(32, 7).toString('base64'))
const key: TsigKey = { name: 'mw', algorithm: 'hmac-sha256', secret }

/** An answer as a server builds it: the question given back, and records of which one points into it. */
function answer(id: number, values: readonly string[] = ['192.0.2.1']): Buffer {
  const message = encodeQuery(id, 'a.example', 1)
  message.writeUInt16BE(0x8400, 2)
  message.writeUInt16BE(values.length, 6)
  const records = values.map(value =>
    Buffer.concat([numbers([0xc00c, 2], [1, 2], [1, 2], [300, 4], [4, 2]), Buffer.from(value.split('.').map(Number))]),
  )
  return Buffer.concat([message, ...records])
}

const request = signMessage(encodeQuery(77, 'a.example', 1), key, at)
const signed = signMessage(answer(77), key, at, request.mac).octets

describe('an answer', () => {
  test.each(tsigAlgorithms)('signed with %s for this request verifies', algorithm => {
    const other = { ...key, algorithm }
    const asked = signMessage(encodeQuery(1, 'x.example', 6), other, at)
    expect(verifyRequest(asked.octets, other, at).verdict).toBe('verified')
    const octets = signMessage(answer(1), other, at, asked.mac).octets
    expect(verifyAnswer(octets, other, asked.mac, at).verdict).toBe('verified')
    expect(parseMessage(octets)?.additionals.map(({ type }) => type)).toEqual([250])
  })

  test('to another request, with another key, name or algorithm, or of another time is bad', () => {
    const other = signMessage(encodeQuery(78, 'a.example', 1), key, at)
    const verdicts = [
      verifyAnswer(signed, key, other.mac, at),
      verifyRequest(signed, key, at),
      verifyAnswer(signed, { ...key, name: 'mw2' }, request.mac, at),
      verifyAnswer(signed, { ...key, algorithm: 'hmac-sha512' }, request.mac, at),
      verifyAnswer(signed, { ...key, secret: new Secret(Buffer.alloc(32, 8).toString('base64')) }, request.mac, at),
      verifyAnswer(signed, key, request.mac, at + 301_000),
      verifyAnswer(signed, key, request.mac, at - 301_000),
    ]
    expect(verdicts.map(({ verdict }) => verdict)).toEqual(verdicts.map(() => 'bad'))
    expect(verifyAnswer(signed, key, request.mac, at + 300_000).verdict).toBe('verified')
  })

  test('without a TSIG is unsigned; with a shortened signature, or the TSIG not last or not alone, bad', () => {
    expect(verifyAnswer(answer(77), key, request.mac, at)).toEqual({ verdict: 'unsigned' })
    const tsig = signed.subarray(answer(77).length)
    const twice = Buffer.concat([signed, tsig])
    twice.writeUInt16BE(2, 10)
    expect(verifyAnswer(twice, key, request.mac, at).verdict).toBe('bad')
    const early = Buffer.concat([signed, numbers([0xc00c, 2], [1, 2], [1, 2], [0, 4], [0, 2])])
    early.writeUInt16BE(2, 10)
    expect(verifyAnswer(early, key, request.mac, at).verdict).toBe('bad')
    // The MAC's length field says 16, its octets are the first half.
    const macAt = signed.length - 6 - 32
    const short = Buffer.concat([signed.subarray(0, macAt + 16), signed.subarray(macAt + 32)])
    short.writeUInt16BE(16, macAt - 2)
    short.writeUInt16BE(short.readUInt16BE(macAt - 25) - 16, macAt - 25)
    expect(verifyAnswer(short, key, request.mac, at).verdict).toBe('bad')
  })

  test('that tells of an error is refused, with what the server’s clock says', () => {
    const refuse = (error: number, other: Buffer) => {
      const octets = Buffer.concat([
        signed.subarray(0, signed.length - 4),
        numbers([error, 2], [other.length, 2]),
        other,
      ])
      const rdlengthAt = answer(77).length + 4 + 8
      octets.writeUInt16BE(octets.readUInt16BE(rdlengthAt) + other.length, rdlengthAt)
      return verifyAnswer(octets, key, request.mac, at)
    }
    expect(refuse(16, Buffer.alloc(0))).toEqual({ verdict: 'refused', error: 'BADSIG', serverSeconds: null })
    expect(refuse(17, Buffer.alloc(0))).toMatchObject({ error: 'BADKEY' })
    const clock = { verdict: 'refused', error: 'BADTIME', serverSeconds: 1_700_003_600 }
    expect(refuse(18, numbers([1_700_003_600, 6]))).toEqual(clock)
    expect(refuse(99, Buffer.alloc(0)).verdict).toBe('bad')
  })
})

/** Some edits of a message, each anywhere. */
const edits = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'flip', 'cut', 'insert', 'repeat', 'drop'),
    at: fc.nat(4_000),
    octets: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 5 },
)

function edited(octets: Buffer, changes: typeof edits extends fc.Arbitrary<infer E> ? E : never): Buffer {
  let mutant = Buffer.from(octets)
  for (const { kind, at, octets: inserted } of changes) {
    if (mutant.length === 0) break
    const place = at % mutant.length
    if (kind === 'set') mutant[place] = inserted[0] ?? 0
    else if (kind === 'flip') mutant[place] = (mutant[place] ?? 0) ^ (1 << ((inserted[0] ?? 0) & 7))
    else if (kind === 'cut') mutant = mutant.subarray(0, place)
    else if (kind === 'insert') mutant = Buffer.concat([mutant.subarray(0, place), inserted, mutant.subarray(place)])
    else if (kind === 'repeat') mutant = Buffer.concat([mutant, mutant.subarray(place)])
    else mutant = Buffer.concat([mutant.subarray(0, place), mutant.subarray(place + inserted.length)])
  }
  return mutant
}

/** What a signature covers: not the id of the header, nor the case of the names of key and algorithm. */
function meaning(octets: Buffer): string {
  const named = Buffer.from(octets.subarray(2))
  return named.toString('latin1').toLowerCase()
}

describe('mutants', () => {
  test('of a signed answer never verify, and none of them crashes', () => {
    fc.assert(
      fc.property(edits, changes => {
        const mutant = edited(signed, changes)
        const { verdict } = verifyAnswer(mutant, key, request.mac, at)
        if (verdict === 'verified') expect(meaning(mutant)).toBe(meaning(signed))
      }),
      { numRuns: 20_000 },
    )
  })

  test('of updates and random octets are messages or none', () => {
    const update = encodeUpdate(5, {
      zone: 'a.example',
      prerequisites: [{ needs: 'name-unused', owner: 'www.a.example' }],
      steps: [{ step: 'add', owner: 'www.a.example', type: 'MX', ttl: 60, rdata: Buffer.from('000a0161c00c', 'hex') }],
    })
    let sound = 0
    const anything = fc.oneof(
      edits.map(changes => edited(update, changes)),
      fc.uint8Array({ maxLength: 200 }).map(octets => Buffer.from(octets)),
    )
    fc.assert(
      fc.property(anything, octets => {
        sound += parseMessage(octets) === undefined ? 0 : 1
        expect(verifyAnswer(octets, key, request.mac, at).verdict).not.toBe('verified')
      }),
      { numRuns: 20_000 },
    )
    // The mutants got past the header.
    expect(sound).toBeGreaterThan(50)
  })
})

describe('a stream', () => {
  type Message = { readonly octets: Buffer; readonly signed: boolean }

  /** As a server sends it: the first and the last signed, and some between. */
  function stream(signs: readonly boolean[]): Message[] {
    let prior = request.mac
    let unsigned: Buffer[] = []
    return signs.map((sign, index) => {
      const message = answer(77, [`192.0.2.${index % 250}`])
      if (index === 0) {
        const first = signMessage(message, key, at, prior)
        prior = first.mac
        return { octets: first.octets, signed: true }
      }
      if (!sign) {
        unsigned.push(message)
        return { octets: message, signed: false }
      }
      const next = signFollowing(message, key, at, prior, unsigned)
      unsigned = []
      prior = next.mac
      return { octets: next.octets, signed: true }
    })
  }

  const verdictsOf = (messages: readonly Message[]) => {
    const verifier = createStreamVerifier(key, request.mac)
    return messages.map(({ octets }) => verifier.take(octets, at).verdict)
  }

  test('verifies with any number of unsigned messages up to 99 between signed ones', () => {
    const bits = fc.array(fc.boolean(), { maxLength: 30 })
    fc.assert(
      fc.property(bits, middle => {
        const messages = stream([true, ...middle, true])
        expect(verdictsOf(messages)).toEqual(messages.map(one => (one.signed ? 'verified' : 'pending')))
      }),
      { numRuns: 300 },
    )
    const most = stream([true, ...Array.from({ length: unsignedMessagesMax }, () => false), true])
    expect(verdictsOf(most).at(-1)).toBe('verified')
    const tooMany = stream([true, ...Array.from({ length: unsignedMessagesMax + 1 }, () => false), true])
    expect(verdictsOf(tooMany)).toContain('bad')
  })

  test('does not verify to its end with a message left out, added, exchanged or changed', () => {
    const bits = fc.array(fc.boolean(), { minLength: 3, maxLength: 12 })
    fc.assert(
      fc.property(bits, fc.nat(), fc.constantFrom('drop', 'double', 'swap', 'change'), (middle, where, what) => {
        const messages = stream([true, ...middle, true])
        const index = where % (messages.length - 1)
        const [one, two] = [messages[index]!, messages[index + 1]!]
        const damaged = messages.toSpliced(
          index,
          2,
          ...{
            drop: [two],
            double: [one, one, two],
            swap: [two, one],
            change: [{ ...one, octets: edited(one.octets, [{ kind: 'flip', at: 30, octets: Uint8Array.of(1) }]) }, two],
          }[what],
        )
        const verdicts = verdictsOf(damaged)
        // Whoever reads a stream stops at the first bad message, or finds the last one unsigned.
        expect(verdicts.includes('bad') || verdicts.includes('unsigned') || verdicts.at(-1) === 'pending').toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('does not begin with an unsigned message', () => {
    expect(createStreamVerifier(key, request.mac).take(answer(77), at).verdict).toBe('unsigned')
  })
})

describe('a secret', () => {
  test('is base64 of at least 16 octets, and is shown by nothing', () => {
    const texts = ['', 'x', 'AAAA', 'not base64!', Buffer.alloc(15).toString('base64'), secret.reveal()]
    expect(texts.map(text => secretOctets(new Secret(text))?.length)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      32,
    ])
    expect(JSON.stringify(key)).not.toContain(secret.reveal())
  })
})
