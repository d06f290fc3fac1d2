/**
 * A real log: a real Postfix takes, refuses, defers and bounces real messages, with our own decisions as its policy
 * service; then what is put together from its log is compared with what was sent, recipient by recipient, and replayed
 * under the same world and under others.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { decide } from '../../agent/decision/decide.ts'
import { buildSnapshot } from '../../agent/decision/snapshot.ts'
import type { EstateText } from '../../agent/manifest/schema-decisions.ts'
import type { Change } from '../../agent/model/change.ts'
import type { Address } from '../../agent/model/name.ts'
import { refOf } from '../../agent/model/resource.ts'
import type { World } from '../../agent/model/world.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import { toWorld } from '../../agent/policy-test/world.ts'
import type { Asked, Message } from '../../agent/replay/messages.ts'
import { createReplay } from '../../agent/replay/replay.ts'
import { eachLine, openLog } from '../../agent/replay/sources.ts'
import { generatePassword, hashPassword } from '../../agent/standards/password.ts'
import { openEmbeddedDirectory } from '../../providers/embedded-directory/directory.ts'
import { account, domain } from '../conformance/samples.ts'
import { type MailServers, startMailServers, waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { type PolicyStub, startPolicyStub } from '../servers/policy-stub.ts'
import { describeServers } from '../servers/suite.ts'
import { sendMail } from '../servers/wire.ts'

const estate: EstateText = {
  institutions: { inst: { networks: ['127.0.0.1/32'], servers: [{ networks: ['127.0.0.5/32'], roles: ['relay'] }] } },
  domains: { 'box.example': { institution: 'inst' } },
  accounts: {
    'jperez@box.example': { send: 'national', receive: 'national', aliases: ['juan.perez'] },
    'mlopez@box.example': { send: 'international', receive: 'international' },
  },
}
const jperez = 'jperez@box.example'
const mlopez = 'mlopez@box.example'
const stranger = '127.0.0.9'

type Sent = { sender: string; recipients: string[]; login?: string; from?: string; replies: string[] }
const mail = (sender: string, recipients: string[], more: { login?: string; from?: string } = {}): Sent => ({
  sender,
  recipients,
  ...more,
  replies: [],
})

/** In this order; each in a session of its own. */
const sent: Sent[] = [
  mail(jperez, ['a@minsap.cu'], { login: jperez }),
  mail(jperez, ['b@who.int', 'b@minsap.cu'], { login: jperez }),
  mail(jperez, ['c@minsap.cu', 'c@who.int'], { login: jperez }),
  mail(jperez, ['d@who.int'], { login: jperez }),
  mail(mlopez, ['e@who.int', 'e@later.cu', 'e@no.cu'], { login: mlopez }),
  mail('x@minsap.cu', ['juan.perez@box.example', mlopez], { from: stranger }),
  mail('x@who.int', [jperez, mlopez], { from: stranger }),
  mail('x@who.int', ['nadie@box.example'], { from: stranger }),
  mail('x@who.int', ['z@elsewhere.example'], { from: stranger }),
  mail('', [mlopez], { from: stranger }),
  mail('"odd; from=<no"@who.int', [mlopez], { from: stranger }),
  mail(jperez, ['f@minsap.cu'], { from: '127.0.0.5' }),
]

describeServers('a log of Postfix, put together again', whyNoServers, () => {
  let servers: MailServers
  let policy: PolicyStub
  let log = ''
  const password = generatePassword(randomBytes).reveal()

  beforeAll(async () => {
    const snapshot = buildSnapshot(toWorld(estate))
    policy = await startPolicyStub(request => {
      const { client_address: clientAddress = '', sasl_username: login = '', sender = '', recipient = '' } = request
      const state = request['protocol_state'] ?? ''
      const asked = { state, clientAddress, login, sender, recipient, instance: request['instance'] ?? '' }
      return decide(snapshot, asked, { at: systemClock.now(), usage: null }).reply
    })
    // Nobody listens at port 1, and nobody here is called e.
    const transports = 'who.int=discard:, minsap.cu=discard:, later.cu=smtp:[127.0.0.1]:1, no.cu=local:'
    servers = await startMailServers({
      policy: policy.address,
      mainCf: ['mynetworks = 127.0.0.5/32', `transport_maps = inline:{ ${transports} }`],
    })
    await fillDirectory(servers.directoryFile, password)
    for (const [index, message] of sent.entries()) {
      const { sender, recipients, login, from } = message
      const endpoint = { port: login ? servers.ports.submission : servers.ports.smtp, ...(from && { from }) }
      const text = `Message-Id: <${index}@test>\nSubject: t\n\nHello.`
      const done = await sendMail(endpoint, { sender, recipients, text }, login ? { user: login, password } : undefined)
      message.replies.push(...done.recipients)
    }
    const file = join(servers.folder, 'pf/maillog')
    const taken = sent.filter(({ replies }) => replies.some(reply => reply.startsWith('250'))).length
    // All that were taken leave but the one that waits; the report about one recipient leaves too.
    await waitUntil('the end of every message', () => {
      const text = readFileSync(file, 'utf8')
      return text.split(': removed\n').length - 1 === taken && text.includes('status=deferred')
    })
    log = readFileSync(file, 'utf8')
  })
  afterAll(async () => {
    await servers?.stop()
    await policy?.stop()
  })

  /** What the log says, and what it would be answered. */
  async function replay(before: World | null, after: World, bytes: Buffer = Buffer.from(log)) {
    const asked: Asked[] = []
    const messages: Message[] = []
    const period = { since: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }
    const replay = createReplay({
      before,
      after,
      period,
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      onAsked: one => asked.push(one),
      onMessage: one => messages.push(one),
    })
    await using folder = await mkdtempDisposable(join(tmpdir(), 'replay-'))
    const file = join(folder.path, 'mail.log')
    writeFileSync(file, bytes)
    let number = 0
    await eachLine(await openLog(file), (line, cut) => {
      number += 1
      replay.take(line, { file, number, end: systemClock.now(), cut })
    })
    return { asked, messages, report: replay.end() }
  }
  const worldWith = (accounts: EstateText['accounts']) =>
    toWorld({ ...estate, accounts: { ...estate.accounts, ...accounts } })

  test('every recipient is found with its client, login, sender and answer', async () => {
    const { asked, report } = await replay(null, toWorld(estate))
    const expected = sent.flatMap(({ sender, recipients, login = '', from = '127.0.0.1', replies }) =>
      recipients.map((recipient, index) => {
        const reply = replies[index] ?? ''
        return { client: from, login, sender, recipient, reply: reply.startsWith('250') ? null : reply }
      }),
    )
    const found = asked.map(({ client, login, sender, recipient, refused }) => {
      return { client, login, sender, recipient, reply: refused?.reply ?? null }
    })
    const sorted = (rows: readonly object[]) => rows.map(row => JSON.stringify(row)).sort()
    expect(sorted(found)).toEqual(sorted(expected))
    expect(report.notUnderstood).toEqual([])
    expect(report.messages).toMatchObject({ unfinished: 1, untold: 0, byOrigin: { missing: 0 } })
  })

  test('every message is found with its id and what became of each recipient', async () => {
    const { messages } = await replay(null, toWorld(estate))
    const taken = sent.flatMap(({ recipients, replies }, index) => {
      const accepted = recipients.filter((_, at) => replies[at]?.startsWith('250'))
      return accepted.length === 0 ? [] : [{ messageId: `<${index}@test>`, recipients: accepted.sort() }]
    })
    const byClient = messages.filter(({ origin }) => origin === 'client')
    expect(
      byClient
        .map(({ messageId, recipients }) => ({
          messageId,
          recipients: recipients.map(({ address }) => address).sort(),
        }))
        .sort((a, b) => Number.parseInt(a.messageId.slice(1), 10) - Number.parseInt(b.messageId.slice(1), 10)),
    ).toEqual(taken)
    const fates = byClient.flatMap(({ recipients }) => recipients).filter(({ status }) => status !== 'sent')
    expect(fates.toSorted((a, b) => a.address.localeCompare(b.address))).toEqual([
      { address: 'e@later.cu', status: 'deferred', dsn: '4.4.1' },
      { address: 'e@no.cu', status: 'bounced', dsn: '5.1.1' },
    ])
    // The report to its sender is Postfix's own, and nobody was asked about it.
    const own = messages.filter(({ origin }) => origin !== 'client')
    expect(own).toMatchObject([{ origin: 'internal', sender: '', recipients: [{ address: mlopez, status: 'sent' }] }])
  })

  test('who logged in is told by the log, by the rest of the session, or stood for by the sender, and that is said', async () => {
    const { asked } = await replay(null, toWorld(estate))
    const from = (recipient: string) => asked.find(one => one.recipient === recipient)?.loginFrom
    expect(from('a@minsap.cu')).toBe('log')
    expect(from('b@who.int')).toBe('session')
    expect(from('c@who.int')).toBe('log')
    expect(from('d@who.int')).toBe('assumed')
    expect(from('f@minsap.cu')).toBe('none')
  })

  test('nothing changes under the world that it was decided by, as plain text and as gzip', async () => {
    for (const bytes of [Buffer.from(log), gzipSync(log)]) {
      const { report } = await replay(null, toWorld(estate), bytes)
      expect(report.comparison).toMatchObject({ flipped: 0, flips: [], otherReason: 0 })
      expect(report.comparison.notCompared).toEqual({ 'refused-by-others': 1, 'before-sender': 0 })
    }
  })

  test('a wider account: what was refused is accepted, because of its line', async () => {
    const wider = worldWith({ [jperez]: { send: 'international', receive: 'international', aliases: ['juan.perez'] } })
    const expected = [
      { who: { kind: 'login', name: jperez }, count: 3, before: { effect: 'reject', policy: 'scope-send' } },
      { who: { kind: 'recipient', name: jperez }, count: 1, before: { effect: 'reject', policy: 'scope-receive' } },
    ]
    for (const before of [null, toWorld(estate)]) {
      const { flips, flipped } = (await replay(before, wider)).report.comparison
      expect(flipped).toBe(4)
      expect(flips).toMatchObject(expected.map(flip => ({ ...flip, after: { effect: 'accept', policy: null } })))
      const places = wider.accounts.get(jperez as Address)?.account.places
      expect(flips.map(({ cause }) => cause)).toEqual([
        { side: 'after', source: expect.objectContaining({ line: places?.['send']?.line }) },
        { side: 'after', source: expect.objectContaining({ line: places?.['receive']?.line }) },
      ])
    }
  })

  test('a narrower account: what was accepted is refused, the relay speaks for its institution', async () => {
    const narrower = worldWith({
      [mlopez]: { send: 'national', receive: 'international' },
      [jperez]: { send: 'local', receive: 'national', aliases: ['juan.perez'] },
    })
    const { flips } = (await replay(toWorld(estate), narrower)).report.comparison
    const rows = flips.map(({ who, count, before, after }) => [who.kind, who.name, count, before.effect, after.policy])
    expect(rows).toEqual([
      ['login', jperez, 3, 'accept', 'scope-send'],
      ['login', mlopez, 1, 'accept', 'scope-send'],
      ['relay', 'inst', 1, 'accept', 'scope-send'],
    ])
  })
})

async function fillDirectory(file: string, password: string): Promise<void> {
  await using directory = await openEmbeddedDirectory({ file, clock: systemClock })
  const people = [
    account(jperez, { allowNets: null, aliases: ['juan.perez@box.example' as Address] }),
    account(mlopez, { allowNets: null }),
  ]
  const changes = [domain('box.example'), ...people].map((after): { change: Change<typeof after>; mark: string } => {
    const ref = refOf(after)
    return {
      change: { action: 'create', ref, before: null, after, why: 'manifest', source: null },
      mark: markOf('replay', ref),
    }
  })
  for await (const { result } of directory.apply(changes as never, new AbortController().signal))
    expect(result).toBe('applied')
  const hash = await hashPassword(new Secret(password))
  for (const { address } of people) await directory.setCredential(address, hash, 1_700_000_000_000)
}
