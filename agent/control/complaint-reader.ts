/**
 * Reads abuse reports and puts on record what they are: one that counts by itself, with its signal, the others as numbers,
 * since the register is no place for strangers to write in. What follows from a signal is decided from the register.
 */
import { ProviderFailure, type ReportMailbox } from '../../providers/provider.ts'
import { dayMs, formatInstant } from '../core/clock.ts'
import { sha256 } from '../core/digest.ts'
import { buildNetworkSet, contains } from '../decision/network.ts'
import { type ReadReport, readReport } from '../detection/arf-reader.ts'
import { countComplaints, matchOf, provenSource, reportsToAct } from '../detection/complaints.ts'
import { endedAt } from '../detection/respond.ts'
import { findSent } from '../detection/sent.ts'
import { evidenceStore } from '../evidence/store.ts'
import { parseIp } from '../model/ip.ts'
import type { Address } from '../model/name.ts'
import type { World } from '../model/world.ts'
import type { Engine } from '../reconcile/engine.ts'
import { daemonActor } from '../reconcile/findings.ts'
import type { Message } from '../replay/messages.ts'
import { type AbuseReport, reportBytesMax } from '../standards/arf.ts'
import { raiseSign } from './raise-sign.ts'
import { scopesOf } from './scopes-of.ts'

/** Who complains does it within days; logs of a week are read in seconds. */
const sentMs = 7 * dayMs
/** What is said in one: somebody's complaint about our mail. `not-spam`, `auth-failure` and the like are none (RFC 5965 section 3.3). */
const complaints: ReadonlySet<string> = new Set(['abuse', 'fraud', 'virus'])
/** Until the mailbox is read to its end. */
const sessionsMax = 10

export type ComplaintReader = { check(): Promise<void> }

export function createComplaintReader(parts: {
  readonly engine: Engine
  readonly mailbox: ReportMailbox
  readonly signal: AbortSignal
}): ComplaintReader {
  const { engine, mailbox, signal } = parts
  const { config, clock, log } = engine.parts
  const { reports } = config.detection
  const store = evidenceStore(config.stateFolder)

  type Read = { readonly bytes: Buffer; readonly report: AbuseReport; readonly source: string }
  type Passed = Map<string, number>

  async function take(messages: readonly Buffer[]): Promise<void> {
    const passed: Passed = new Map()
    const pass = (why: string) => passed.set(why, (passed.get(why) ?? 0) + 1)
    const read: Read[] = []
    for (const bytes of messages) {
      const report: ReadReport = await readReport(bytes)
      if (typeof report === 'string') pass(report)
      else if (!complaints.has(report.feedbackType)) pass('no-complaint')
      else {
        const source = reports === null ? null : provenSource(report, reports)
        if (source === null) pass('source-unproved')
        else read.push({ bytes, report, source })
      }
    }
    const sent = await sentOf(read)
    for (const one of read) {
      const match = matchOf(one.report, sent)
      const account = match === null ? undefined : senderOf(engine.world(), match.message)
      if (match === null || account === undefined) pass('never-sent')
      else await record(one, { ...match, account })
    }
    if (passed.size === 0) return
    log.write('info', 'abuse reports that do not count', Object.fromEntries(passed))
    await engine.append([
      {
        kind: 'abuse.passed',
        actor: daemonActor,
        at: formatInstant(clock.now()),
        subject: 'abuse',
        rule: 'S37',
        facts: Object.fromEntries(passed),
      },
    ])
  }

  /** The logs are read only for what has a source that is known. */
  async function sentOf(read: readonly Read[]): Promise<readonly Message[]> {
    if (read.length === 0) return []
    const messageIds = new Set(read.flatMap(({ report }) => report.original.messageId ?? []))
    const queueIds = new Set(read.flatMap(({ report }) => report.original.queueIds))
    const { timeZone } = config.operator
    return findSent(config.evidence.logs, { messageIds, queueIds }, { since: clock.now() - sentMs, timeZone, signal })
  }

  async function record(
    { bytes, report, source }: Read,
    { message, by, account }: { readonly message: Message; readonly by: string; readonly account: Address },
  ): Promise<void> {
    // Durable before the register names it.
    const document = await store.put(bytes)
    const at = clock.now()
    const about = sha256(`${message.host} ${message.queue} ${message.at}`)
    await engine.append([
      {
        kind: 'abuse.report',
        actor: daemonActor,
        at: formatInstant(at),
        subject: 'abuse',
        rule: 'S37',
        facts: { feedbackType: report.feedbackType, source, matchedBy: by, document, about },
        personal: { account },
      },
    ])
    const scope = scopesOf(engine.world())(account)
    const ended = scope === undefined ? Number.NEGATIVE_INFINITY : endedAt(engine.history.incidents, scope)
    const count = countComplaints(engine.history.detection.complaints, account, Math.max(at - dayMs, ended))
    const level = count >= reportsToAct ? 'act' : 'alert'
    // Each that counts is told.
    const found = { code: 'SIG-ABUSE-REPORT', level, count, subject: account } as const
    await raiseSign(engine, found, { window: dayMs, quiet: 0 })
  }

  let running: Promise<void> | null = null
  const readAll = async (): Promise<void> => {
    try {
      for (let session = 0; session < sessionsMax && !signal.aborted; session += 1)
        if (!(await mailbox.read(reportBytesMax, take, signal)).more) return
    } catch (error) {
      // The next check reads again what was not marked.
      const known = error instanceof ProviderFailure
      log.write('error', 'abuse reports were not read', {
        error: error instanceof Error ? error.message : String(error),
        cause: known ? String(error.cause) : undefined,
      })
    }
  }

  return {
    // One at a time: what is being read is not marked yet.
    check() {
      running ??= readAll().finally(() => {
        running = null
      })
      return running
    },
  }
}

/** Whose it was: of the login that brought it; of its sender where a declared relay did, which speaks for its institution. */
export function senderOf(world: World, { login, client, sender }: Message): Address | undefined {
  if (login !== '') return scopesOf(world)(login)?.account ?? undefined
  const scope = sender === null ? undefined : scopesOf(world)(sender)
  if (scope === undefined || scope.account === null) return undefined
  const institution = world.institutions.get(world.domains.get(scope.domain)?.domain.institution ?? '')
  const relays = (institution?.servers ?? []).filter(({ roles }) => roles.includes('relay'))
  const isRelay = contains(buildNetworkSet(relays.flatMap(({ networks }) => networks)), parseIp(client))
  return isRelay ? scope.account : undefined
}
