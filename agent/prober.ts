/**
 * The probes put together as the configuration says: which name servers, which doors, and the user that may stand in for
 * anybody. Part of the composition root, like `systems.ts`.
 */
import { hostname } from 'node:os'
import { probeDelivery } from '../providers/imap/delivery.ts'
import { probeImap } from '../providers/imap/imap.ts'
import { probePop3 } from '../providers/imap/pop3.ts'
import { probeSubmission } from '../providers/imap/submission.ts'
import { probeZone, type ServerFinding } from '../providers/probe-dns/zone.ts'
import { type Prober, ProviderFailure } from '../providers/provider.ts'
import type { Clock } from './core/clock.ts'
import type { Secret } from './core/secret.ts'
import type { LoginDoor, Seen, VerifyConfig } from './model/verify.ts'
import { readSecret } from './secrets.ts'
import { mailboxDoor, submissionDoor } from './verify/probes.ts'

const zoneMs = 5_000
/** Dovecot answers a refusal after 2 s, and an address that was refused before up to 15 s later still, whoever asks from it. */
const loginMs = 20_000
const deliveryMs = 30_000 // two logins, and a queue manager that is busy takes its time

const probesOf = { imap: probeImap, pop3: probePop3, submission: probeSubmission } as const

/** Asks nobody yet. */
export function createProber(config: VerifyConfig, clock: Clock): Prober {
  const doors = new Map(config.doors.map(door => [door.name, door]))
  const { master } = config
  let password: Secret | undefined

  /** Read with the first login, and again after a failure: a password that is gone delays a probe, and nothing else. */
  function loginOf(door: LoginDoor, account: string, from: string) {
    if (master === null) throw new ProviderFailure('unsupported', 'no master user is configured', { retry: 'never' })
    password ??= readSecret(master.password)
    const { protocol: _, name: __, ...target } = door
    return { ...target, clientAddress: from, user: `${account}${master.separator}${master.user}`, password }
  }

  return {
    async zone(zone, rrsets, signal) {
      const found = await probeZone({
        nameServers: config.nameServers,
        zone,
        expected: rrsets,
        timeoutMs: zoneMs,
        signal,
      })
      return judgeZone(found.servers)
    },
    async login(name, account, from, signal) {
      const door = doors.get(name)
      if (door === undefined) return { result: 'unreachable', detail: `no door ${name}` }
      try {
        return await probesOf[door.protocol]({ ...loginOf(door, account, from), timeoutMs: loginMs, signal })
      } catch (error) {
        return { result: 'unreachable', detail: wordsOf(error) }
      }
    },
    async delivery(account, from, signal) {
      const [submission, mailbox] = [submissionDoor(config), mailboxDoor(config)]
      if (submission === undefined || mailbox === undefined)
        return { result: 'unproved', detail: 'no door for submission and IMAP' }
      try {
        const sent = await probeDelivery({
          submission: loginOf(submission, account, from),
          mailbox: loginOf(mailbox, account, from),
          from: account,
          to: account,
          ehloName: hostname(),
          clock,
          timeoutMs: deliveryMs,
          signal,
        })
        if (sent.result === 'delivered') return { result: 'as-wanted', detail: `delivered in ${sent.tookMs} ms` }
        return { result: sent.result === 'unreachable' ? 'unproved' : 'otherwise', detail: sent.detail }
      } catch (error) {
        return { result: 'unproved', detail: wordsOf(error) }
      }
    },
  }
}

// What is seen goes into the register: enough of it to find the record by, whatever a server gives out.
const shownCharsMax = 120
const shownDifferencesMax = 5

const cut = (text: string | null) =>
  text !== null && text.length > shownCharsMax ? `${text.slice(0, shownCharsMax)}…` : (text ?? '')

/** A server that gives out something else weighs more than one that gives out nothing. */
export function judgeZone(servers: readonly ServerFinding[]): Seen {
  const serials = new Set(servers.flatMap(({ serial }) => serial ?? []))
  const wrong = servers.flatMap(({ server, trouble, detail, differences }) => {
    if (trouble !== null) return trouble === 'wrong-answer' ? [`${server}: ${cut(detail)}`] : []
    const shown = differences.slice(0, shownDifferencesMax).map(({ owner, type, expected, found, detail: why }) => {
      const has = found === null ? (why ?? 'no answer') : found.values.join(' | ') || 'nothing'
      return `${owner} ${type} is ${cut(has)}, not ${cut(expected.values.join(' | ')) || 'nothing'}`
    })
    const more = differences.length - shown.length
    if (more > 0) shown.push(`and ${more} more`)
    return shown.length === 0 ? [] : [`${server}: ${shown.join('; ')}`]
  })
  if (serials.size > 1)
    wrong.push(`serials differ: ${servers.map(({ server, serial }) => `${server} ${serial ?? '–'}`).join(', ')}`)
  if (wrong.length > 0) return { result: 'otherwise', detail: wrong.join('. ') }
  const silent = servers.filter(({ trouble }) => trouble !== null)
  if (silent.length > 0)
    return { result: 'unproved', detail: silent.map(({ server, detail }) => `${server}: ${cut(detail)}`).join('. ') }
  return { result: 'as-wanted', detail: `serial ${[...serials].join()}` }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
