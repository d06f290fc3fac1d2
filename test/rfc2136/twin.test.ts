/** A lying server (R6, R19, R33): whatever it does to messages, nothing is called applied that is not, and no zone absent that stands. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Change } from '../../agent/model/change.ts'
import { parseMessage, queryTypes } from '../../agent/standards/dns-message.ts'
import type { DnsResource } from '../../agent/standards/dns-resource.ts'
import { type Provider, ProviderFailure } from '../../providers/provider.ts'
import { dnsStates } from '../conformance/samples.ts'
import { create, remove, rrset, update } from '../dns/bench.ts'
import { type Bind, startBind, whyNoBind } from '../servers/bind.ts'
import { startKnot, whyNoKnot } from '../servers/knot.ts'
import { describeServers } from '../servers/suite.ts'
import { apply, changesTo, lies, observeAll, openProvider, resources, type Server } from './support.ts'
import { opcodeOf, type Script, startTwin, type Twin, updateOpcode } from './twin.ts'

const a = 'a.example'
const { full } = dnsStates
const changes: readonly Change<DnsResource>[] = [
  update(rrset(a, 'www', 'A', ['192.0.2.10', '192.0.2.11']), rrset(a, 'www', 'A', ['192.0.2.12'])),
  create(rrset(a, 'new', 'TXT', ['new'])),
  remove(rrset(a, '*.wild', 'CAA', ['0 issue "ca.example"'])),
  update(
    rrset('b.cu', '_submission._tcp', 'SRV', ['0 1 587 mail.operator.example']),
    rrset('b.cu', '_submission._tcp', 'SRV', ['5 1 587 mail.operator.example']),
  ),
]

const isUpdate = (message: Buffer) => opcodeOf(message) === updateOpcode
const isTransfer = (message: Buffer) => parseMessage(message)?.question?.type === queryTypes.axfr
/** Never goes on: whoever waits gives up, and comes back on another connection. */
const silence = () => new Promise<never>(() => {})

function withId(message: Buffer, id: number): Buffer {
  const other = Buffer.from(message)
  other.writeUInt16BE(id, 0)
  return other
}

/** Takes the last record, the TSIG, off. */
function unsigned(message: Buffer): Buffer {
  const last = parseMessage(message)?.additionals.at(-1)
  if (last === undefined) return message
  const bare = Buffer.from(message.subarray(0, last.at))
  bare.writeUInt16BE(message.readUInt16BE(10) - 1, 10)
  return bare
}

function withCode(message: Buffer, rcode: number): Buffer {
  const other = Buffer.from(message)
  other[3] = ((other[3] ?? 0) & 0xf0) | rcode
  return other
}

/** An answer of no records: what an empty server would say. */
function bareAnswer(request: Buffer, rcode: number): Buffer {
  const question = parseMessage(request)?.question
  const header = Buffer.from(request.subarray(0, 12))
  header.writeUInt16BE(0x8000 | (request.readUInt16BE(2) & 0x7800) | rcode, 2)
  for (const at of [6, 8, 10]) header.writeUInt16BE(0, at)
  const end = 12 + (question?.name.length ?? 0) + 2 + 4
  return Buffer.concat([header, request.subarray(12, end)])
}

/** A transfer that shows a zone of its SOA alone, from the first record of the true one. */
function emptied(message: Buffer): Buffer {
  const parsed = parseMessage(message)
  const [first, second] = parsed?.answers ?? []
  if (first === undefined || second === undefined) return message
  const soa = message.subarray(first.at, second.at)
  const other = Buffer.concat([message.subarray(0, second.at), soa])
  other.writeUInt16BE(2, 6)
  other.writeUInt16BE(0, 10)
  return other
}

/** Scripts are made anew for each use: some remember what they saw. */
const faults: Readonly<Record<string, () => Script>> = {
  'cuts after the work of an UPDATE': () => ({ toClient: message => (isUpdate(message) ? 'cut' : [message]) }),
  'cuts before an UPDATE gets there': () => ({ toServer: message => (isUpdate(message) ? 'cut' : [message]) }),
  'is silent after the work of an UPDATE': () => ({ toClient: message => (isUpdate(message) ? silence() : [message]) }),
  'swallows every UPDATE': () => ({ toServer: message => (isUpdate(message) ? [] : [message]) }),
  'answers UPDATEs without a signature': () => ({
    toClient: message => [isUpdate(message) ? unsigned(message) : message],
  }),
  'answers all without a signature': () => ({ toClient: message => [unsigned(message)] }),
  'says done of UPDATEs that it swallowed': () => {
    let done: Buffer | undefined
    const swallowed: number[] = []
    return {
      // The first goes through; its signed answer is given to all others.
      toServer: message => {
        if (!isUpdate(message) || done === undefined) return [message]
        swallowed.push(message.readUInt16BE(0))
        return [Buffer.from(message.subarray(0, 2))]
      },
      toClient: message => {
        if (isUpdate(message)) done ??= message
        const replay = done
        return replay === undefined ? [message] : [...swallowed.splice(0).map(id => withId(replay, id)), message]
      },
    }
  },
  'turns success into refusals': () => ({ toClient: message => [isUpdate(message) ? withCode(message, 8) : message] }),
  'answers each question with the answer to the one before it first': () => {
    let before: Buffer | undefined
    return {
      toClient: message => {
        const wrong = before
        before = message
        return wrong === undefined ? [message] : [withId(wrong, message.readUInt16BE(0)), message]
      },
    }
  },
  'gives every answer twice': () => ({ toClient: message => [message, message] }),
  'gives every answer under another id': () => ({
    toClient: message => [withId(message, (message.readUInt16BE(0) + 1) & 0xffff)],
  }),
  'cuts transfers': () => ({ toClient: message => (isTransfer(message) ? 'cut' : [message]) }),
  'shows transfers without their records': () => ({
    toClient: message => [isTransfer(message) ? emptied(message) : message],
  }),
  'cuts the last message off transfers': () => ({
    toClient: message =>
      isTransfer(message) && (parseMessage(message)?.answers.at(-1)?.type ?? 0) === 6 ? [] : [message],
  }),
  'knows no zone': () => {
    const requests = new Map<number, Buffer>()
    return {
      toServer: message => {
        requests.set(message.readUInt16BE(0), message)
        return [message]
      },
      toClient: message => {
        const request = requests.get(message.readUInt16BE(0))
        return [request === undefined ? message : bareAnswer(request, 9)]
      },
    }
  },
  'refuses all': () => ({ toClient: message => [withCode(unsigned(message), 5)] }),
  'changes an octet of each answer': () => ({
    toClient: message => {
      const other = Buffer.from(message)
      const at = Math.floor(other.length / 2)
      other[at] = (other[at] ?? 0) ^ 1
      return [other]
    },
  }),
  'sends no messages but noise': () => ({ toClient: message => [Buffer.alloc(7, 0xff), message.subarray(0, 11)] }),
}

function suite(start: () => Promise<Server>, big: boolean): void {
  let server: Server
  let twin: Twin
  let direct: Provider<DnsResource>
  const bulk = Array.from({ length: big ? 300 : 0 }, (_, n) => rrset(a, `n${n}`, 'TXT', ['x'.repeat(450)]))
  const desired = [...full, ...bulk]

  beforeAll(async () => {
    server = await start()
    twin = await startTwin(server.port)
    direct = openProvider(server, { zones: [] })
  })
  beforeEach(async () => {
    twin.script = {}
    const outcomes = await apply(direct, changesTo(await observeAll(direct), desired))
    expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
  })
  afterAll(async () => {
    await direct[Symbol.asyncDispose]()
    await twin.close()
    await server.stop()
  })

  test.each(Object.keys(faults))('one that %s', async name => {
    const fault = faults[name]!
    await using dns = openProvider(server, {
      server: twin.server,
      zones: [],
      answerMs: 250,
      transferMs: 2_000,
      loadMs: 500,
    })
    const before = await observeAll(direct)
    twin.script = fault()
    const seen = await observeAll(dns).catch((error: unknown) => error)
    if (seen instanceof ProviderFailure) expect(seen.retry === 'later' || seen.kind === 'unauthorized').toBe(true)
    else expect(canonicalJson(seen)).toBe(canonicalJson(before))
    twin.script = fault()
    const outcomes = await apply(dns, changes)
    expect(outcomes.length).toBe(changes.length)
    twin.script = {}
    const truth = await observeAll(direct)
    expect(lies(outcomes, changes, truth)).toEqual([])
    // Each file and each record that is not in the plan stands as it stood.
    const planned = new Set(changes.map(({ ref }) => ref.key))
    const rest = (all: typeof truth) => all.filter(({ resource }) => !planned.has(resource.key))
    expect(canonicalJson(rest(truth))).toBe(canonicalJson(rest(before)))
    // The faults over, the next pass converges, with the patience that it has by default.
    await using next = openProvider(server, { server: twin.server, zones: [] })
    const target = desired
      .filter(({ key }) => !planned.has(key))
      .concat(changes.flatMap(({ after }) => (after === null ? [] : [after])))
    const again = await apply(next, changesTo(await observeAll(next), target))
    expect(again.filter(({ result }) => result !== 'applied')).toEqual([])
    expect(new Set(resources(await observeAll(next)).map(canonicalJson))).toEqual(new Set(target.map(canonicalJson)))
  })

  test('one that turns a refusal into success', async () => {
    await using dns = openProvider(server, { server: twin.server, zones: [] })
    const [change] = changes
    let edited = false
    twin.answers.length = 0
    twin.script = {
      toServer: message => {
        if (isUpdate(message) && !edited) {
          edited = true
          server.third.write(rrset(a, 'www', 'A', []), rrset(a, 'www', 'A', ['192.0.2.66']))
        }
        return [message]
      },
      toClient: message => [isUpdate(message) ? withCode(message, 0) : message],
    }
    expect(await apply(dns, [change!])).toMatchObject([{ result: 'unknown' }])
    expect(twin.answers.filter(({ opcode }) => opcode === updateOpcode)).toEqual([{ opcode: updateOpcode, rcode: 8 }])
    twin.script = {}
    const ours = rrset(a, 'www', 'A', ['192.0.2.66'])
    expect(resources(await observeAll(direct))).toContainEqual(ours)
  })
}

describeServers('a lying BIND', whyNoBind, () => suite(() => startBind(), true))
describeServers('a lying Knot', whyNoKnot, () => suite(() => startKnot(), false))

describeServers('a lying BIND that is asked for a new zone', whyNoBind, () => {
  let bind: Bind
  beforeAll(async () => {
    bind = await startBind()
  })
  afterAll(() => bind.stop())

  test.each(Object.keys(faults))('one that %s makes none that is called made and is not', async name => {
    const twin = await startTwin(bind.port)
    try {
      await using direct = openProvider(bind, { zones: [] })
      await using dns = openProvider(bind, {
        server: twin.server,
        zones: [],
        answerMs: 150,
        transferMs: 500,
        loadMs: 300,
      })
      twin.script = faults[name]!()
      const wanted = full.map(create)
      const outcomes = await apply(dns, wanted)
      twin.script = {}
      const truth = await observeAll(direct)
      expect(lies(outcomes, wanted, truth).filter(({ result }) => result === 'applied')).toEqual([])
      const again = await apply(dns, changesTo(await observeAll(dns), full))
      expect(again.filter(({ result }) => result !== 'applied')).toEqual([])
      expect(new Set(resources(await observeAll(direct)).map(canonicalJson))).toEqual(new Set(full.map(canonicalJson)))
      await apply(direct, full.map(remove))
      expect(await observeAll(direct)).toEqual([])
    } finally {
      await twin.close()
    }
  })
})
