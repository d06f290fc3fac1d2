/**
 * Notices by mail through a real Postfix into a real Dovecot, read back by IMAP: what arrives, how often, whether its
 * signature verifies, and what becomes of a notice when the server refuses, waits or is cut off.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Clock } from '../../agent/core/clock.ts'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { type DkimKeyPair, formatDkim, generateDkimKey } from '../../agent/standards/dkim.ts'
import type { OutgoingNotice, ProviderFailure } from '../../providers/provider.ts'
import type { SmtpOptions } from '../../providers/smtp/options.ts'
import { openSmtp } from '../../providers/smtp/smtp.ts'
import { openSpool } from '../../providers/spool/spool.ts'
import { domain } from '../conformance/samples.ts'
import { type MailServers, run, startMailServers, waitUntil, whyNoServers } from '../servers/mail-servers.ts'
import { account, type Mailboxes, openMailboxes } from '../servers/mailboxes.ts'
import { type PolicyStub, startPolicyStub } from '../servers/policy-stub.ts'
import { describeServers } from '../servers/suite.ts'
import { verifyDkim } from '../support/dkim-verify.ts'
import { parseMessage } from '../support/message.ts'
import { startCut } from '../support/twin.ts'

const hostmaster = 'avisos@operator.example'
const dayMs = 86_400_000

describeServers('notices through Postfix', whyNoServers, () => {
  let servers: MailServers
  let policy: PolicyStub
  let mailboxes: Mailboxes
  let key: DkimKeyPair
  let folder = ''
  let count = 0
  let director = ''
  /** What the policy service says to the next recipients; then DUNNO. */
  const answers: string[] = []
  let ahead = 0
  const clock: Clock = { now: () => systemClock.now() + ahead, sleep: systemClock.sleep }

  beforeAll(async () => {
    policy = await startPolicyStub(() => answers.shift() ?? 'DUNNO')
    servers = await startMailServers({ policy: policy.address })
    mailboxes = await openMailboxes(servers)
    key = await generateDkimKey()
    await mailboxes.put([
      domain('operator.example'),
      account('admin@operator.example', { role: 'administrator' }),
      account(hostmaster),
      domain('directores.example'),
      account('admin@directores.example', { role: 'administrator' }),
    ])
  })
  afterAll(async () => {
    await mailboxes?.[Symbol.asyncDispose]()
    await servers?.stop()
    await policy?.stop()
  })
  beforeEach(async () => {
    folder = mkdtempSync('/tmp/mw-')
    writeFileSync(join(folder, 'dkim.pem'), key.privateKeyPem, { mode: 0o600 })
    count += 1
    ahead = 0
    director = `ana${count}@directores.example`
    await mailboxes.put([account(director)])
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  function options(over: Partial<SmtpOptions> = {}): SmtpOptions {
    return {
      host: '127.0.0.1',
      port: servers.ports.smtp,
      tls: 'starttls',
      caFile: join(servers.folder, 'cert.pem'),
      serverName: 'mx.test.example',
      ehloName: 'agent.operator.example',
      journalFolder: join(folder, 'journal'),
      letters: openSpool({ folder: join(folder, 'outbox') }),
      clock,
      ...over,
    }
  }

  function notice(over: Partial<OutgoingNotice> = {}): OutgoingNotice {
    return {
      id: `n${count}-director`,
      to: director,
      toName: 'Ana Ruiz Pérez',
      from: hostmaster,
      subject: 'Suspensión del dominio ñandú.example 🐦',
      text: 'Estimada directora:\n\n. una línea con punto\nSe suspendió el servicio.\n',
      at: 1_751_382_000_000,
      ...over,
    }
  }

  /** Waits until so many have arrived, and gives them. */
  async function arrived(messages: number, user = director): Promise<string[]> {
    let found: string[] = []
    await waitUntil(`${messages} messages of ${user}`, async () => {
      found = await mailboxes.read(user)
      return found.length >= messages
    })
    return found
  }
  /** True when nothing is on its way any more. */
  const queueIsEmpty = () =>
    waitUntil(
      'an empty queue',
      () => run('/usr/sbin/postqueue', ['-c', join(servers.folder, 'pf/etc'), '-j']).stdout === '',
    )
  const failureOf = (sending: Promise<void>): Promise<ProviderFailure> =>
    sending.then(
      () => expect.unreachable('it was sent'),
      error => error,
    )

  test('arrives once, over STARTTLS, with names and words as they were written', async () => {
    await openSmtp(options()).send(notice())
    const [message = '', ...more] = await arrived(1)
    expect(more).toEqual([])
    const { headers, text } = parseMessage(message)
    expect(headers.get('to')).toBe(`Ana Ruiz Pérez <${director}>`)
    expect(headers.get('from')).toBe(`<${hostmaster}>`)
    expect(headers.get('subject')).toBe(notice().subject)
    expect(headers.get('message-id')).toBe(`<n${count}-director@operator.example>`)
    expect(headers.get('date')).toBe('Tue, 01 Jul 2025 15:00:00 +0000')
    expect(headers.get('auto-submitted')).toBe('auto-generated')
    expect(headers.get('return-path')).toBe(`<${hostmaster}>`)
    expect(text).toBe(notice().text.replaceAll('\n', '\r\n'))
    expect(message).toMatch(/with ESMTPS .*/)
    expect(message).toContain('agent.operator.example')
  })

  test('what is mailed is what the spool writes, octet for octet', async () => {
    await openSpool({ folder: join(folder, 'outbox') }).send(notice())
    await openSmtp(options()).send(notice())
    const [message = ''] = await arrived(1)
    const written = readFileSync(join(folder, 'outbox', `n${count}-director.eml`), 'latin1')
    expect(message.endsWith(written)).toBe(true)
  })

  test('the DKIM signature verifies after delivery, and not with an octet changed', async () => {
    const dkim = { domain: 'operator.example', selector: key.selector, privateKeyFile: join(folder, 'dkim.pem') }
    await openSmtp(options({ dkim })).send(notice())
    const [message = ''] = await arrived(1)
    const name = `${key.selector}._domainkey.operator.example`
    const record = (asked: string) =>
      asked === name ? formatDkim({ keyType: 'rsa', publicKey: key.publicKey, flags: [] }) : undefined
    const signed = verifyDkim(message, record)
    expect(signed).toEqual(expect.arrayContaining(['from', 'to', 'subject', 'date', 'message-id']))
    expect(verifyDkim(message.replace(/^Subject: ./m, 'Subject: x'), record)).toBe('the signature is wrong')
    expect(verifyDkim(`${message}x`, record)).toBe('the body is another')
  })

  test('a key that cannot sign sends nothing, and the key stays out of the error', async () => {
    const file = join(folder, 'broken.pem')
    writeFileSync(file, key.privateKeyPem.replace(/\n.{20}/, '\n'))
    const dkim = { domain: 'operator.example', selector: 'mw1', privateKeyFile: file }
    const failure = await failureOf(openSmtp(options({ dkim })).send(notice()))
    expect(failure).toMatchObject({ name: 'ProviderFailure', retry: 'later' })
    expect(`${failure.stack} ${(failure.cause as Error).stack}`).not.toContain(key.privateKeyPem.split('\n')[2])
    await queueIsEmpty()
    expect(await mailboxes.read(director)).toEqual([])
  })

  test('with a login over submission, by STARTTLS and by TLS from the start', async () => {
    const login = { user: hostmaster, password: new Secret(mailboxes.password) }
    await openSmtp(options({ port: servers.ports.submission, login })).send(notice())
    await openSmtp(options({ port: servers.ports.submissions, tls: 'tls', login })).send(notice({ id: 'other' }))
    const messages = await arrived(2)
    expect(messages.map(message => /with (ESMTPSA) /.exec(message)?.[1])).toEqual(['ESMTPSA', 'ESMTPSA'])
  })

  test('a wrong password is the server’s no, never shown', async () => {
    const password = new Secret('not-the-password-of-anybody')
    const smtp = openSmtp(options({ port: servers.ports.submission, login: { user: hostmaster, password } }))
    const failure = await failureOf(smtp.send(notice()))
    expect(failure).toMatchObject({ kind: 'unauthorized', retry: 'never' })
    expect(failure.message).toContain('535 5.7.8')
    const shown = `${failure.stack} ${(failure.cause as Error).stack} ${JSON.stringify(failure)}`
    expect(shown).not.toContain(password.reveal())
    expect(shown).not.toContain(Buffer.from(`\0${hostmaster}\0${password.reveal()}`).toString('base64'))
  })

  test('a server that offers no login gets no message', async () => {
    const login = { user: hostmaster, password: new Secret(mailboxes.password) }
    const failure = await failureOf(openSmtp(options({ login })).send(notice()))
    expect(failure.kind).toBe('unauthorized')
    await queueIsEmpty()
    expect(await mailboxes.read(director)).toEqual([])
  })

  test.each([
    ['another CA', () => ({ caFile: join(folder, 'other.pem') })],
    ['no CA of ours', () => ({ caFile: null })],
    ['another name', () => ({ serverName: 'mail.operator.example' })],
  ])('a certificate that does not hold is refused: %s', async (_, over) => {
    const [pem, out] = [join(folder, 'other-key.pem'), join(folder, 'other.pem')]
    run('/usr/bin/openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=mx.test.example',
      '-keyout',
      pem,
      '-out',
      out,
    ])
    const failure = await failureOf(openSmtp(options(over())).send(notice()))
    expect(failure).toMatchObject({ kind: 'unreachable', retry: 'later' })
    expect(failure.message).toMatch(/certificate|altnames/i)
    await queueIsEmpty()
    expect(await mailboxes.read(director)).toEqual([])
  })

  test('a server without STARTTLS gets nothing where TLS is wanted', async () => {
    const { startTwin } = await import('../support/twin.ts')
    let heard = ''
    const twin = await startTwin(socket => {
      socket.write('220 mx.test.example ESMTP\r\n')
      socket.on('data', bytes => {
        heard += bytes
        socket.write(/^EHLO/.test(bytes.toString()) ? '250-mx.test.example\r\n250 8BITMIME\r\n' : '502 no\r\n')
      })
    })
    const failure = await failureOf(openSmtp(options({ port: twin.port })).send(notice()))
    await twin.stop()
    expect(failure).toBeInstanceOf(Error)
    expect(heard).not.toMatch(/MAIL|AUTH|DATA/)
  })

  test.each([
    ['451 4.7.1 come back later', 'rejected', 'later'],
    ['550 5.7.1 not from you', 'rejected', 'never'],
  ])('an answer of %j is told as it was said', async (answer, kind, retry) => {
    answers.push(answer)
    const smtp = openSmtp(options())
    const failure = await failureOf(smtp.send(notice()))
    expect(failure).toMatchObject({ name: 'ProviderFailure', kind, retry })
    expect(failure.message).toContain(answer.slice(10))
    // Said no once, and yes the next time: it arrives, once.
    await smtp.send(notice())
    expect(await arrived(1)).toHaveLength(1)
  })

  test('a repeat within a day is not sent again, not by another process either; after a day it is', async () => {
    await openSmtp(options()).send(notice())
    await openSmtp(options()).send(notice())
    await openSmtp(options()).send(notice({ subject: 'the same notice, worded anew' }))
    ahead = dayMs - 60_000
    await openSmtp(options()).send(notice())
    await queueIsEmpty()
    expect(await arrived(1)).toHaveLength(1)
    ahead = dayMs + 60_000
    await openSmtp(options()).send(notice())
    const ids = (await arrived(2)).map(message => parseMessage(message).headers.get('message-id'))
    expect(new Set(ids).size).toBe(1)
  })

  test('asked twice at once, it leaves once; another address or another event is another notice', async () => {
    const smtp = openSmtp(options())
    await Promise.all([smtp.send(notice()), smtp.send(notice())])
    await smtp.send(notice({ to: hostmaster }))
    await smtp.send(notice({ at: notice().at + 1 }))
    await queueIsEmpty()
    expect(await arrived(2)).toHaveLength(2)
  })

  test('cut off after the dot: unknown, so later, and the repeat has the same Message-ID', async () => {
    const cut = await startCut(servers.ports.smtp, 1)
    try {
      const smtp = openSmtp(options({ port: cut.port, tls: 'none' }))
      const failure = await failureOf(smtp.send(notice()))
      expect(failure).toMatchObject({ kind: 'unreachable', retry: 'later' })
      const [first = ''] = await arrived(1)
      await smtp.send(notice())
      await smtp.send(notice())
      const messages = await arrived(2)
      expect(messages).toHaveLength(2)
      const tail = (message: string) => message.slice(message.indexOf('\r\nDate: '))
      expect(messages.map(tail)).toEqual([tail(first), tail(first)])
      expect(tail(first)).toContain(`Message-ID: <n${count}-director@operator.example>`)
      expect(cut.connections()).toBe(2)
    } finally {
      await cut.stop()
    }
  })

  test.each([
    ['toName', `x\r\nBcc: ${hostmaster}`],
    ['toName', `Ana <${hostmaster}>, otra`],
    ['toName', `grupo: ${hostmaster};`],
    ['subject', `x\r\nBcc: ${hostmaster}\r\n\r\nhola`],
    ['text', `.\r\nMAIL FROM:<${hostmaster}>\r\nRCPT TO:<${hostmaster}>\r\nDATA\r\nx\r\n.\r\n`],
  ])('%s as %j adds no header and no recipient', async (field, value) => {
    const before = (await mailboxes.read(hostmaster)).length
    await openSmtp(options()).send(notice({ [field]: value }))
    const [message = ''] = await arrived(1)
    await queueIsEmpty()
    expect(parseMessage(message).names.filter(name => /^(bcc|cc|to|from)$/.test(name))).toEqual(['from', 'to'])
    expect(await mailboxes.read(hostmaster)).toHaveLength(before)
  })

  test.each([
    ['to', () => `${director}\r\nRCPT TO:<${hostmaster}>`],
    ['to', () => `${director},${hostmaster}`],
    ['to', () => `${director}, ${hostmaster}`],
    ['to', () => `grupo: ${director}, ${hostmaster};`],
    ['to', () => `Ana <${director}>`],
    ['to', () => `${director}> NOTIFY=SUCCESS`],
    ['to', () => `"${director} x"@otra.example`],
    ['to', () => `${director}\0`],
    ['to', () => ''],
    ['from', () => `${hostmaster}\r\nRCPT TO:<${hostmaster}>`],
    ['from', () => `<${hostmaster}>`],
    ['id', () => '../../etc/x'],
    ['id', () => 'a\r\nBcc: x@y.example'],
  ])('%s as %j is refused before anything is connected', async (field, value) => {
    const asked = policy.requests.length
    const failure = await failureOf(openSmtp(options({ port: 1 })).send(notice({ [field]: value() })))
    expect(failure).toMatchObject({ kind: 'rejected', retry: 'never' })
    expect(policy.requests).toHaveLength(asked)
  })

  test('a letter is printed, never mailed', async () => {
    const asked = policy.requests.length
    await openSmtp(options()).send(notice({ to: null }))
    expect(readdirSync(join(folder, 'outbox', 'letters'))).toEqual([`n${count}-director.txt`])
    expect(policy.requests).toHaveLength(asked)
  })
})
