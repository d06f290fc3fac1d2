/**
 * The probes of logins against real servers: each protocol for itself, from addresses that may and that may not, open and
 * suspended; delivery and recipients through Postfix.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { type DeliveryProbe, probeDelivery } from '../../providers/imap/delivery.ts'
import { probeImap } from '../../providers/imap/imap.ts'
import { probePop3 } from '../../providers/imap/pop3.ts'
import type { LoginProbe } from '../../providers/imap/probe.ts'
import { probeRecipient, type RecipientProbe } from '../../providers/imap/recipient.ts'
import { probeSubmission } from '../../providers/imap/submission.ts'
import { domain } from '../conformance/samples.ts'
import { type MailServers, startMailServers, waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { account, type Mailboxes, openMailboxes } from '../servers/mailboxes.ts'
import { type PolicyStub, startPolicyStub } from '../servers/policy-stub.ts'
import { describeServers } from '../servers/suite.ts'
import { freePort } from '../support/free-port.ts'
import { startTwin } from '../support/twin.ts'

const home = '127.0.0.1'
const abroad = '127.0.0.2'
const juan = account('jperez@box.example', { allowNets: [`${home}/32`] })
const maria = account('mlopez@box.example')
const never = new AbortController().signal

const protocols = {
  imap: { probe: probeImap, port: 'imap' },
  pop3: { probe: probePop3, port: 'pop' },
  submission: { probe: probeSubmission, port: 'submission' },
} as const
type Protocol = keyof typeof protocols
const all = Object.keys(protocols) as Protocol[]

describeServers('probes of Dovecot and Postfix', whyNoServers, () => {
  let servers: MailServers
  let policy: PolicyStub
  let mailboxes: Mailboxes
  let answer: (sender: string, recipient: string) => string = () => 'DUNNO'

  beforeAll(async () => {
    policy = await startPolicyStub(request => answer(request['sender'] ?? '', request['recipient'] ?? ''))
    servers = await startMailServers({ policy: policy.address })
    mailboxes = await openMailboxes(servers)
  })
  afterAll(async () => {
    await mailboxes?.[Symbol.asyncDispose]()
    await servers?.stop()
    await policy?.stop()
  })
  beforeEach(async () => {
    answer = () => 'DUNNO'
    await mailboxes.put([
      domain('box.example'),
      account('admin@box.example', { role: 'administrator' }),
      juan,
      maria,
      account('gone@box.example', { status: 'closed' }),
    ])
  })

  function login(protocol: Protocol, over: Partial<LoginProbe> = {}): LoginProbe {
    return {
      host: home,
      port: servers.ports[protocols[protocol].port],
      tls: 'starttls',
      caFile: join(servers.folder, 'cert.pem'),
      serverName: 'mx.test.example',
      user: juan.address,
      password: new Secret(mailboxes.password),
      localAddress: home,
      timeoutMs: 15_000,
      signal: never,
      ...over,
    }
  }
  const probe = (protocol: Protocol, over: Partial<LoginProbe> = {}) => protocols[protocol].probe(login(protocol, over))

  test.each(all)('%s: the right password from an allowed address, over STARTTLS', async protocol => {
    expect(await probe(protocol)).toMatchObject({ result: 'accepted' })
    // The servers log beside their answer.
    await waitUntil('the log', () => /TLS/.test(servers.log()))
  })

  test.each(['imap', 'pop3'] as const)('%s: without TLS on this machine', async protocol => {
    expect(await probe(protocol, { tls: 'none' })).toMatchObject({ result: 'accepted' })
  })

  test('submission: TLS from the first octet', async () => {
    expect(await probe('submission', { tls: 'tls', port: servers.ports.submissions })).toMatchObject({
      result: 'accepted',
    })
  })

  test.each([
    ['imap', 'tls', 'imaps'],
    ['pop3', 'tls', 'pops'],
  ] as const)('%s: TLS from the first octet', async (protocol, tls, port) => {
    expect(await probe(protocol, { tls, port: servers.ports[port] })).toMatchObject({ result: 'accepted' })
  })

  test.each(all)('%s: a wrong password is refused in the server’s words', async protocol => {
    const { result, detail } = await probe(protocol, { password: new Secret('wrong-and-never-shown') })
    expect(result).toBe('refused')
    expect(detail).toMatch(/AUTHENTICATIONFAILED|\[AUTH\]|535 5\.7\.8/)
    expect(detail).not.toContain('wrong-and-never-shown')
  })

  test.each(all)('%s: the right password from outside of the allowed networks is refused', async protocol => {
    expect(await probe(protocol, { localAddress: abroad })).toMatchObject({ result: 'refused' })
    expect(await probe(protocol, { localAddress: abroad, user: maria.address })).toMatchObject({ result: 'accepted' })
    expect(servers.log()).toContain(`rip=${abroad}`)
  })

  test.each(all)(
    '%s: a suspended domain, a suspended account, a closed one are refused; the neighbour goes on',
    async protocol => {
      await mailboxes.put([domain('box.example', { login: 'suspended' })])
      expect(await probe(protocol)).toMatchObject({ result: 'refused' })
      expect(await probe(protocol, { user: maria.address })).toMatchObject({ result: 'refused' })
      await mailboxes.put([domain('box.example'), { ...juan, status: 'suspended' }])
      expect(await probe(protocol)).toMatchObject({ result: 'refused' })
      expect(await probe(protocol, { user: maria.address })).toMatchObject({ result: 'accepted' })
      expect(await probe(protocol, { user: 'gone@box.example' })).toMatchObject({ result: 'refused' })
    },
  )

  test.each(all)('%s: a server that is down says nothing about a password', async protocol => {
    const { result, detail } = await probe(protocol, { port: await freePort() })
    expect(result).toBe('unreachable')
    expect(detail).toContain('ECONNREFUSED')
  })

  test.each(all)('%s: an address to come from that is not ours', async protocol => {
    const { result, detail } = await probe(protocol, { localAddress: '192.0.2.9' })
    expect(result).toBe('unreachable')
    expect(detail).toContain('EADDRNOTAVAIL')
  })

  test.each(all)('%s: a certificate that does not hold is no refusal', async protocol => {
    for (const over of [{ caFile: null }, { serverName: 'mail.box.example' }])
      expect(await probe(protocol, over)).toMatchObject({ result: 'unreachable' })
    expect(await probe(protocol, { caFile: join(servers.folder, 'nothing.pem') })).toMatchObject({
      result: 'unreachable',
    })
  })

  test.each([
    ['pop3', '+OK\r\n', '+OK go\r\n', '+OK\r\n+OK logged in\r\n'],
    ['submission', '220 twin\r\n', '220 go\r\n', '250-twin\r\n250 AUTH PLAIN\r\n235 2.7.0 ok\r\n'],
  ] as const)('%s: what was said before TLS stood counts for nothing', async (protocol, greeting, go, injected) => {
    const [key, cert] = ['key.pem', 'cert.pem'].map(file => readFileSync(join(servers.folder, file)))
    const twin = await startTwin(socket => {
      socket.write(greeting)
      socket.on('data', function onPlain(octets) {
        if (octets.toString().startsWith('EHLO')) socket.write('250-twin\r\n250 STARTTLS\r\n')
        else {
          socket.off('data', onPlain)
          socket.write(go + injected)
          new TLSSocket(socket, { isServer: true, key, cert }).on('error', () => {})
        }
      })
    })
    const found = await probe(protocol, { port: twin.port, timeoutMs: 2_000 })
    await twin.stop()
    expect(found).toMatchObject({ result: 'unreachable', detail: expect.stringContaining('before TLS') })
  })

  test.each(all)('%s: another protocol behind the port is no refusal', async protocol => {
    const other = protocol === 'submission' ? servers.ports.pop : servers.ports.submission
    expect(await probe(protocol, { port: other, timeoutMs: 2_000 })).toMatchObject({ result: 'unreachable' })
  })

  test('submission where no login is offered is no refusal', async () => {
    expect(await probe('submission', { port: servers.ports.smtp })).toMatchObject({
      result: 'unreachable',
      detail: 'the server offers no AUTH PLAIN',
    })
  })

  test.each(all)('%s: a caller that stops gets an answer at once', async protocol => {
    const stopped = AbortSignal.abort()
    expect(await probe(protocol, { signal: stopped })).toEqual({
      result: 'unreachable',
      detail: 'stopped before an answer',
    })
  })

  function delivery(over: Partial<DeliveryProbe> = {}): DeliveryProbe {
    return {
      submission: login('submission'),
      mailbox: login('imap', { user: maria.address }),
      from: juan.address,
      to: maria.address,
      ehloName: 'agent.operator.example',
      clock: systemClock,
      timeoutMs: 15_000,
      signal: never,
      ...over,
    }
  }

  test('a message goes from a submission to a mailbox and is gone afterwards; other mail stays', async () => {
    const before = await mailboxes.read(maria.address)
    const result = await probeDelivery(delivery())
    expect(result).toMatchObject({ result: 'delivered', isDeleted: true })
    expect(await mailboxes.read(maria.address)).toEqual(before)
    expect(servers.log()).toMatch(/message-id=<probe-[0-9a-f]{32}@box\.example>/)
  })

  test('a message that is refused, that does not arrive, that cannot be looked for', async () => {
    answer = () => '550 5.7.1 not today'
    expect(await probeDelivery(delivery())).toEqual({
      result: 'refused',
      detail: expect.stringMatching(/^550 5\.7\.1 .*not today/),
    })
    answer = () => 'HOLD'
    const held = await probeDelivery(delivery({ timeoutMs: 2_000 }))
    expect(held).toMatchObject({ result: 'missing', detail: expect.stringMatching(/^taken \(250 .*queued as/) })
    answer = () => 'DUNNO'
    const asked = policy.requests.length
    const blind = delivery({ mailbox: login('imap', { user: maria.address, password: new Secret('wrong') }) })
    expect(await probeDelivery(blind)).toMatchObject({ result: 'unreachable' })
    expect(policy.requests).toHaveLength(asked)
  })

  function recipient(over: Partial<RecipientProbe> = {}): RecipientProbe {
    return {
      host: home,
      port: servers.ports.smtp,
      tls: 'none',
      ehloName: 'agent.operator.example',
      from: 'someone@elsewhere.example',
      to: maria.address,
      timeoutMs: 15_000,
      signal: never,
      ...over,
    }
  }

  test('what port 25 says to a recipient, and that no message comes of it', async () => {
    answer = (_, to) => (to === juan.address ? '450 4.2.1 waits' : 'DUNNO')
    expect(await probeRecipient(recipient())).toMatchObject({ result: 'answered', stage: 'recipient', code: 250 })
    expect(await probeRecipient(recipient({ from: '' }))).toMatchObject({ code: 250 })
    const tls = { tls: 'starttls', caFile: join(servers.folder, 'cert.pem'), serverName: 'mx.test.example' } as const
    expect(await probeRecipient(recipient(tls))).toMatchObject({ code: 250 })
    const waits = await probeRecipient(recipient({ to: juan.address }))
    expect(waits).toMatchObject({ code: 450, text: expect.stringMatching(/^4\.2\.1 .*waits/) })
    expect(await probeRecipient(recipient({ to: 'nobody@box.example' }))).toMatchObject({ code: 550 })
    const relay = await probeRecipient(recipient({ to: 'x@foreign.example', localAddress: abroad }))
    expect(relay).toMatchObject({ code: 554, text: expect.stringMatching(/^5\.7\.1 .*Relay access denied/i) })
    expect(servers.log()).toContain(`connect from unknown[${abroad}]`)
    expect(
      policy.requests.filter(request => request['protocol_state'] !== 'RCPT' && request['sasl_username'] === ''),
    ).toEqual([])
    expect(await mailboxes.read(maria.address)).toEqual([])
  })

  test('an address with more in it never reaches a server', async () => {
    const asked = policy.requests.length
    for (const over of [{ to: 'a@box.example>\r\nDATA' }, { from: 'a@box.example> SIZE=1' }, { to: '' }])
      expect(await probeRecipient(recipient(over))).toMatchObject({ result: 'unreachable' })
    expect(policy.requests).toHaveLength(asked)
  })
})
