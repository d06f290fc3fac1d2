/** Logins of Dovecot: its lines, what they are signs of, and the traps. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { followFile } from '../../agent/detection/follow.ts'
import { crowdMin, failuresMin, type LoginAttempt, loginSigns, readLogin } from '../../agent/detection/logins.ts'
import { createLineReader } from '../../agent/replay/lines.ts'

const end = Date.parse('2026-11-24T00:00:00Z')
const read = (line: string) => readLogin(createLineReader('UTC'), line, end)
const at = Date.parse('2026-11-23T18:40:55Z')
const text = 'user=<jperez@hcg.sld.cu>, method=PLAIN, rip=198.18.0.7, lip=10.0.0.1, mpid=28848, TLS, session=<lMYh7>'
const accepted = { at, result: 'accepted', user: 'jperez@hcg.sld.cu', client: '198.18.0.7', count: 1 }

test.each([
  ['its own log', `Nov 23 18:40:55 imap-login: Info: Login: ${text}`],
  ['syslog', `Nov 23 18:40:55 imap1 dovecot: imap-login: Login: ${text}`],
  ['syslog with a pid', `Nov 23 18:40:55 imap1 dovecot[812]: pop3-login: Login: ${text}`],
  ['rsyslog', `2026-11-23T18:40:55+00:00 imap1 dovecot: imap-login: Login: ${text}`],
  ['Dovecot 2.4', `2026-11-23T18:40:55+00:00 imap1 dovecot: imap-login: Logged in: ${text}`],
])('a success in %s', (_, line) => {
  expect(read(line)).toEqual(accepted)
})

test('a failure counts its attempts', () => {
  const line = `Nov 23 18:40:55 imap-login: Info: Disconnected: Connection closed (auth failed, 3 attempts in 9 secs): user=<jperez@hcg.sld.cu>, method=PLAIN, rip=198.18.0.7, lip=10.0.0.1`
  expect(read(line)).toEqual({ ...accepted, result: 'failed', count: 3 })
})

test.each([
  [
    'nobody tried',
    'Nov 23 18:40:55 imap-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=198.18.0.7, lip=10.0.0.1',
  ],
  ['a session', 'Nov 23 18:40:55 imap(jperez@hcg.sld.cu)<28848><x>: Info: Disconnected: Connection closed'],
  ['another program that says it', `Nov 23 18:40:55 mx postfix/smtpd[1]: dovecot: imap-login: Login: ${text}`],
  [
    'a client that says it',
    `Nov 23 18:40:55 imap-login: Info: Disconnected: Connection closed (no auth attempts in 0 secs): user=<Login: ${text}>, rip=198.18.0.9`,
  ],
  ['nothing', ''],
])('%s is no login', (_, line) => {
  expect(read(line)).toBeUndefined()
})

const login = (user: string, client: string, over: Partial<LoginAttempt> = {}): LoginAttempt => ({
  at,
  result: 'accepted',
  user,
  client,
  count: 1,
  ...over,
})
/** Whoever is of hcg may come from 10.20/16 alone. */
const placing = {
  mayCome: (account: string, ip: number | bigint) =>
    account.endsWith('@hcg.sld.cu') ? typeof ip === 'number' && ip >>> 16 === ((10 << 8) | 20) : undefined,
  isProxy: (ip: number | bigint) => ip === 0xc612_0909,
}
const signsOf = (...attempts: readonly LoginAttempt[]) =>
  loginSigns(attempts, placing).map(({ code, level, subject, count }) => `${code} ${level} ${subject} ${count}`)
const a = 'a@hcg.sld.cu'

test.each<[string, readonly LoginAttempt[], readonly string[]]>([
  ['one success outside', [login(a, '198.18.0.7')], [`SIG-OFF-LAN act ${a} 1`]],
  ['in capitals, twice', [login('A@hcg.sld.cu', '198.18.0.7'), login(a, '198.18.0.7')], [`SIG-OFF-LAN act ${a} 2`]],
  ['by IPv6', [login(a, '2a00::1')], [`SIG-OFF-LAN act ${a} 1`]],
  ['inside', [login(a, '10.20.3.4')], []],
  ['a stranger', [login('x@who.int', '198.18.0.7')], []],
  ['through webmail', [login(a, '198.18.9.9')], []],
  ['our own look', [login(a, '192.0.2.77'), login(a, '2001:db8::5'), login(a, '127.0.0.1')], []],
  [
    'many from one new place have moved',
    Array.from({ length: crowdMin }, (_, n) => login(`u${n}@hcg.sld.cu`, `198.18.0.${n}`)),
    [`SIG-ADDRESSING alert 198.18.0.0/24 ${crowdMin}`],
  ],
  [
    'one of them elsewhere too has not',
    [
      ...Array.from({ length: crowdMin }, (_, n) => login(`u${n}@hcg.sld.cu`, `198.18.0.${n}`)),
      login('u1@hcg.sld.cu', '198.19.0.1'),
    ],
    ['SIG-OFF-LAN act u1@hcg.sld.cu 2', `SIG-ADDRESSING alert 198.18.0.0/24 ${crowdMin}`],
  ],
  [
    'ten thousand wrong passwords are recorded, and no more',
    Array.from({ length: 10_000 }, () => login(a, '198.18.0.7', { result: 'failed' })),
    [`SIG-AUTH-FAILURES record ${a} 10000`],
  ],
  ['a forgotten telephone', [login(a, '198.18.0.7', { result: 'failed', count: failuresMin - 1 })], []],
])('%s', (_, attempts, signs) => {
  expect(signsOf(...attempts)).toEqual(signs)
})

test('a log is followed: what is added, half a line, another file in its place, a cut', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mw-'))
  try {
    const file = join(folder, 'log')
    const log = followFile(file)
    await expect(log.read()).rejects.toThrow('ENOENT')
    writeFileSync(file, 'one\ntwo\nthr')
    expect(await log.read()).toEqual(['one', 'two'])
    expect(await log.read()).toEqual([])
    appendFileSync(file, 'ee\nfour\n')
    expect(await log.read()).toEqual(['three', 'four'])
    renameSync(file, `${file}.1`)
    writeFileSync(file, 'five\n')
    expect(await log.read()).toEqual(['five'])
    writeFileSync(file, '6\n')
    expect(await log.read()).toEqual(['6'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
