/**
 * The probes of logins against servers that lie, hang, cut and babble: always an answer within the limit, never `accepted`
 * without a yes to the credentials, never `refused` without a no to them.
 */
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import { systemClock } from '../../agent/core/system-clock.ts'
import { probeDelivery } from '../../providers/imap/delivery.ts'
import { probeImap } from '../../providers/imap/imap.ts'
import { probePop3 } from '../../providers/imap/pop3.ts'
import type { LoginProbe, LoginResult } from '../../providers/imap/probe.ts'
import { probeRecipient } from '../../providers/imap/recipient.ts'
import { probeSubmission } from '../../providers/imap/submission.ts'
import { drip, hang, reset, say, sayAndEnd, startTwin, type Twin } from '../support/twin.ts'

const never = new AbortController().signal
const password = 'a-password-that-nobody-else-has'
const timeoutMs = 400
/** The limit and what a busy machine adds; far below what a library would wait by itself. */
const answerMsMax = 5_000

const twins: Twin[] = []
afterEach(async () => {
  for (const twin of twins.splice(0)) await twin.stop()
})
async function twinOf(speak: (socket: Socket, connection: number) => void): Promise<Twin> {
  const twin = await startTwin(speak)
  twins.push(twin)
  return twin
}

type Probe = (probe: LoginProbe) => Promise<LoginResult>

async function ask(
  probe: Probe,
  speak: (socket: Socket) => void,
  over: Partial<LoginProbe> = {},
): Promise<LoginResult> {
  const twin = await twinOf(speak)
  const began = performance.now()
  const found = await probe({
    host: '127.0.0.1',
    port: twin.port,
    tls: 'none',
    user: 'jperez@box.example',
    password: new Secret(password),
    timeoutMs,
    signal: never,
    ...over,
  })
  expect(performance.now() - began).toBeLessThan(answerMsMax)
  expect(found.detail).not.toBe('')
  expect(found.detail).toMatch(/^[\x20-\x7e]+$/)
  expect(found.detail).not.toContain(password)
  return found
}

/** A server of lines: a greeting, then an answer to each line by what it matches first. */
function lines(greeting: string, answers: readonly (readonly [RegExp, string | ((socket: Socket) => void)])[]) {
  return (socket: Socket) => {
    let buffer = ''
    socket.write(greeting)
    socket.on('data', octets => {
      buffer += octets.toString('latin1')
      for (let end = buffer.indexOf('\r\n'); end >= 0; end = buffer.indexOf('\r\n')) {
        const line = buffer.slice(0, end)
        buffer = buffer.slice(end + 2)
        const tag = line.split(' ', 1)[0] ?? ''
        const answer = answers.find(([pattern]) => pattern.test(line))?.[1]
        if (typeof answer === 'function') answer(socket)
        else if (answer !== undefined) socket.write(answer.replaceAll('TAG', tag))
      }
    })
  }
}

const imap = (login: string | ((socket: Socket) => void)) =>
  lines('* OK [CAPABILITY IMAP4rev1] twin\r\n', [
    [/ LOGIN /, login],
    [/ CAPABILITY/, '* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n'],
    [/ LOGOUT/, '* BYE\r\nTAG OK bye\r\n'],
    [/ /, 'TAG OK done\r\n'],
  ])
const pop = (pass: string | ((socket: Socket) => void)) =>
  lines('+OK twin\r\n', [
    [/^PASS/, pass],
    [/^/, '+OK\r\n'],
  ])
const smtp = (auth: string | ((socket: Socket) => void)) =>
  lines('220 twin ESMTP\r\n', [
    [/^EHLO/, '250-twin\r\n250 AUTH PLAIN LOGIN\r\n'],
    [/^AUTH/, auth],
    [/^/, '250 ok\r\n'],
  ])

const probes = [
  ['imap', probeImap, imap],
  ['pop3', probePop3, pop],
  ['submission', probeSubmission, smtp],
] as const

describe.each(probes)('%s', (_, probe, server) => {
  test.each<[string, (socket: Socket) => void]>([
    ['hangs', hang],
    ['resets', reset],
    ['drips', drip],
    ['closes without a word', sayAndEnd('')],
    ['babbles', say('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')],
    ['greets with half a line', say('* O')],
    ['greets with half a line and closes', sayAndEnd('+O')],
    ['says yes to a question that nobody asked', say('a1 OK logged in\r\n235 2.7.0 ok\r\n+OK logged in\r\n')],
    [
      'says no to a question that nobody asked',
      say('a1 NO [AUTHENTICATIONFAILED] no\r\n535 5.7.8 no\r\n-ERR [AUTH] no\r\n'),
    ],
    ['sends without end', socket => socket.write('x'.repeat(3_000_000))],
    ['sends lines without end', socket => socket.write('250-x\r\n'.repeat(100_000))],
    ['is gone after the greeting', sayAndEnd('220 twin\r\n')],
    ['hangs at the login', server(hang)],
    ['resets at the login', server(reset)],
    ['closes at the login', server(socket => socket.end())],
    ['says half a yes and closes', server(socket => socket.end('+O'))],
    ['babbles at the login', server('hello there\r\n')],
  ])('a server that %s', async (_, speak) => {
    expect(await ask(probe, speak)).toMatchObject({ result: 'unreachable' })
  })

  test('TLS wanted, and none there', async () => {
    for (const tls of ['tls', 'starttls'] as const) {
      expect(await ask(probe, server('nothing'), { tls })).toMatchObject({ result: 'unreachable' })
      expect(await ask(probe, hang, { tls })).toMatchObject({ result: 'unreachable' })
    }
  })

  test('a login without TLS to another machine is not tried', async () => {
    const found = await probe({
      host: '192.0.2.1',
      port: 1,
      tls: 'none',
      user: 'jperez@box.example',
      password: new Secret(password),
      timeoutMs,
      signal: never,
    })
    expect(found).toEqual({ result: 'unreachable', detail: 'without TLS only on this machine' })
  })

  test.each(['a\r\nb', 'a\0b', ''])('a user %j is not sent', async user => {
    const twin = await twinOf(hang)
    const found = await probe({
      host: '127.0.0.1',
      port: twin.port,
      tls: 'none',
      user,
      password: new Secret(password),
      timeoutMs,
      signal: never,
    })
    expect(found.result).toBe('unreachable')
    expect(twin.connections()).toBe(0)
  })

  test('a caller that stops in the middle has its answer', async () => {
    const stop = new AbortController()
    const found = await ask(probe, () => stop.abort(), { signal: stop.signal, timeoutMs: 60_000 })
    expect(found).toEqual({ result: 'unreachable', detail: 'stopped before an answer' })
  })
})

describe('what a reply to a login means', () => {
  test.each([
    ['TAG OK logged in\r\n', 'accepted'],
    ['TAG NO [AUTHENTICATIONFAILED] no\r\n', 'refused'],
    ['TAG NO [AUTHORIZATIONFAILED] no\r\n', 'refused'],
    ['TAG NO [EXPIRED] no\r\n', 'refused'],
    ['TAG NO [CONTACTADMIN] suspended\r\n', 'refused'],
    ['TAG NO [UNAVAILABLE] later\r\n', 'unreachable'],
    ['TAG NO [LIMIT] too many\r\n', 'unreachable'],
    ['TAG NO [INUSE] busy\r\n', 'unreachable'],
    ['TAG NO [SERVERBUG] oops\r\n', 'unreachable'],
    ['TAG NO no reason at all\r\n', 'unreachable'],
    ['TAG BAD [AUTHENTICATIONFAILED] what\r\n', 'unreachable'],
    ['other NO [AUTHENTICATIONFAILED] no\r\n', 'unreachable'],
    ['* NO [AUTHENTICATIONFAILED] no\r\n', 'unreachable'],
    ['* BYE shutting down\r\n', 'unreachable'],
  ])('imap: %j is %s', async (reply, result) => {
    expect(await ask(probeImap, imap(reply))).toMatchObject({ result })
  })

  test('imap: a server that lets everybody in proves nothing', async () => {
    const preauth = lines('* PREAUTH [CAPABILITY IMAP4rev1] welcome\r\n', [
      [/ LOGOUT/, '* BYE\r\nTAG OK bye\r\n'],
      [/ /, 'TAG OK done\r\n'],
    ])
    expect(await ask(probeImap, preauth)).toMatchObject({ result: 'unreachable' })
  })

  test.each([
    ['+OK Logged in.\r\n', 'accepted'],
    ['-ERR [AUTH] Authentication failed.\r\n', 'refused'],
    ['-ERR [auth] no\r\n', 'refused'],
    ['-ERR [SYS/TEMP] later\r\n', 'unreachable'],
    ['-ERR [SYS/PERM] broken\r\n', 'unreachable'],
    ['-ERR [IN-USE] locked\r\n', 'unreachable'],
    ['-ERR [LOGIN-DELAY] wait\r\n', 'unreachable'],
    ['-ERR no reason at all\r\n', 'unreachable'],
    ['+OKAY\r\n', 'unreachable'],
  ])('pop3: %j is %s', async (reply, result) => {
    expect(await ask(probePop3, pop(reply))).toMatchObject({ result })
  })

  test.each([
    ['235 2.7.0 Authentication successful\r\n', 'accepted'],
    ['535 5.7.8 Error: authentication failed\r\n', 'refused'],
    ['535-5.7.8 no\r\n535 5.7.8 really\r\n', 'refused'],
    ['454 4.7.0 Temporary authentication failure\r\n', 'unreachable'],
    ['421 4.3.2 shutting down\r\n', 'unreachable'],
    ['534 5.7.9 mechanism too weak\r\n', 'unreachable'],
    ['538 5.7.11 encryption required\r\n', 'unreachable'],
    ['550 5.7.1 not from there\r\n', 'unreachable'],
    ['503 5.5.1 no AUTH here\r\n', 'unreachable'],
    ['250 2.0.0 ok\r\n', 'unreachable'],
    ['334 VXNlcm5hbWU6\r\n', 'unreachable'],
    ['235-2.7.0 yes\r\n535 5.7.8 no\r\n', 'unreachable'],
    ['2350 yes\r\n', 'unreachable'],
  ])('submission: %j is %s', async (reply, result) => {
    expect(await ask(probeSubmission, smtp(reply))).toMatchObject({ result })
  })

  test('a password that a server repeats is not shown', async () => {
    const token = Buffer.from(`\0jperez@box.example\0${password}`).toString('base64')
    for (const [probe, speak] of [
      [probeImap, imap(`TAG NO [AUTHENTICATIONFAILED] ${password} ${token}\r\n`)],
      [probePop3, pop(`-ERR [AUTH] ${password} ${token}\r\n`)],
      [probeSubmission, smtp(`535 5.7.8 ${password} ${token}\r\n`)],
    ] as const) {
      const { result, detail } = await ask(probe, speak)
      expect(result).toBe('refused')
      expect(detail).toContain('*** ***')
      expect(detail).not.toContain(token)
    }
  })
})

describe('recipient and delivery', () => {
  test.each<[string, (socket: Socket) => void]>([
    ['hangs', hang],
    ['resets', reset],
    ['babbles', say('hello there\r\n')],
    ['refuses to talk', say('554 5.7.1 go away\r\n')],
    [
      'hangs at RCPT',
      lines('220 twin\r\n', [
        [/^RCPT/, hang],
        [/^/, '250 ok\r\n'],
      ]),
    ],
    [
      'drops at RCPT',
      lines('220 twin\r\n', [
        [/^RCPT/, reset],
        [/^/, '250 ok\r\n'],
      ]),
    ],
  ])('a recipient at a server that %s', async (_, speak) => {
    const twin = await twinOf(speak)
    const found = await probeRecipient({
      host: '127.0.0.1',
      port: twin.port,
      tls: 'none',
      ehloName: 'agent.operator.example',
      from: '',
      to: 'a@box.example',
      timeoutMs,
      signal: never,
    })
    expect(found).toMatchObject({ result: 'unreachable' })
  })

  test('a sender that is refused ends the questions, and DATA is never among them', async () => {
    const heard: string[] = []
    const twin = await twinOf(socket => {
      lines('220 twin\r\n', [
        [/^MAIL/, '550 5.7.1 not you\r\n'],
        [/^/, '250 ok\r\n'],
      ])(socket)
      socket.on('data', octets => heard.push(octets.toString()))
    })
    const found = await probeRecipient({
      host: '127.0.0.1',
      port: twin.port,
      tls: 'none',
      ehloName: 'agent.operator.example',
      from: 'x@y.example',
      to: 'a@box.example',
      timeoutMs,
      signal: never,
    })
    expect(found).toEqual({ result: 'answered', stage: 'sender', code: 550, text: '5.7.1 not you' })
    expect(heard.join('')).not.toMatch(/RCPT|DATA/)
  })

  test('a mailbox that cannot be read: nothing is submitted', async () => {
    const [mailbox, submission] = [await twinOf(hang), await twinOf(smtp('235 ok\r\n'))]
    const login = { host: '127.0.0.1', tls: 'none', user: 'a', password: new Secret(password) } as const
    const found = await probeDelivery({
      submission: { ...login, port: submission.port },
      mailbox: { ...login, port: mailbox.port },
      from: 'a@box.example',
      to: 'b@box.example',
      ehloName: 'agent.operator.example',
      clock: systemClock,
      timeoutMs,
      signal: never,
    })
    expect(found).toMatchObject({ result: 'unreachable' })
    expect(submission.connections()).toBe(0)
  })
})
