/**
 * A Dovecot 2.3 host: live sessions and cached logins. What it reports is what doveadm counts afterwards, never an exit
 * status: a kick says "done" where nothing was closed. It never ends a session of another scope, which 2.3 would: over
 * HTTP a kick ends whole processes, and with `client_limit > 1` a process serves several people.
 */
import type { Clock } from '../../agent/core/clock.ts'
import type { HoldScope } from '../../agent/model/incident.ts'
import type { Address } from '../../agent/model/name.ts'
import { scopeTest } from '../../agent/standards/hold-scope.ts'
import { type DoorState, type MailDoor, type MailHost, ProviderFailure } from '../provider.ts'
import { type DoveadmByCommand, doveadmByCommand } from './command.ts'
import { type Answer, type Doveadm, type DoveadmCommand, exit, exitFailure, rowsOf } from './doveadm.ts'
import { type DoveadmHttp, doveadmByHttp } from './http.ts'

export type DovecotOptions = {
  /** Of the configuration: `imap1`. */
  readonly name: string
  readonly doveadm: DoveadmHttp | DoveadmByCommand
  readonly clock: Clock
}

/** Kilobytes are what Dovecot counts in; `limitBytes` is null where there is no limit. */
export type Quota = { readonly usedBytes: number; readonly limitBytes: number | null }

export interface DovecotHost extends MailHost {
  /** Live sessions of the scope by user name, as doveadm prints it. @throws ProviderFailure */
  sessions(scope: HoldScope, signal: AbortSignal): Promise<ReadonlyMap<string, number>>
  /** Null when Dovecot knows no such user. Needs the quota plugin in `protocol doveadm`. @throws ProviderFailure */
  quotaOf(address: Address, signal: AbortSignal): Promise<Quota | null>
}

/** A session ends when its process has read the signal: 200 take a tenth of a second. The waits add up to 1.3 s. */
const roundsMax = 8
const firstWaitMs = 10

type Session = { readonly user: string; readonly process: string }

/** People whose sessions were ended, remembered for evidence; the oldest give way. */
const endedMax = 10_000

export function openDovecot({ name, doveadm: access, clock }: DovecotOptions): DovecotHost {
  const doveadm = 'url' in access ? doveadmByHttp(access) : doveadmByCommand(access)
  const doors: readonly MailDoor[] = ['sessions', 'caches']
  const { target } = doveadm
  const ended = new Map<string, { readonly sessions: number; readonly at: number }>()

  async function ask(command: DoveadmCommand, signal: AbortSignal): Promise<Answer | undefined> {
    return (await doveadm.call([command], signal))[0]
  }

  function remember(sessions: readonly Session[]): void {
    for (const [user, own] of Map.groupBy(sessions, session => session.user)) {
      ended.delete(user)
      ended.set(user, { sessions: own.length, at: clock.now() })
    }
    for (const user of ended.keys()) if (ended.size > endedMax) ended.delete(user)
  }

  async function observe(scope: HoldScope, asked: readonly MailDoor[], signal: AbortSignal): Promise<DoorState[]> {
    const states: DoorState[] = []
    if (asked.includes('sessions'))
      states.push({ door: 'sessions', open: (await listSessions(doveadm, scope, signal)).length, held: 0 })
    if (asked.includes('caches')) states.push({ door: 'caches', open: null, held: 0 })
    return states
  }

  return {
    name,
    target: `dovecot:${target}`,
    doors,
    observe: (scope, signal) => observe(scope, doors, signal),
    async close(scope, asked, signal) {
      const states: DoorState[] = []
      // The cache first: who is thrown out before would be back from it.
      if (asked.includes('caches')) {
        const flushed = await ask({ name: 'authCacheFlush', users: namesToFlush(scope) }, signal)
        rowsOf(flushed, 'authCacheFlush', target)
        states.push({ door: 'caches', open: null, held: 0 })
      }
      if (asked.includes('sessions')) {
        const open = await endSessions(doveadm, { scope, clock, signal, seen: remember })
        states.push({ door: 'sessions', open, held: 0 })
      }
      return states
    },
    open: (scope, asked, signal) => observe(scope, asked, signal),
    sessionsEnded(scope) {
      const inScope = scopeTest(scope)
      return [...ended].filter(([user]) => inScope(user)).map(([user, seen]) => ({ user, ...seen }))
    },
    async sessions(scope, signal) {
      const counts = new Map<string, number>()
      for (const { user } of await listSessions(doveadm, scope, signal)) counts.set(user, (counts.get(user) ?? 0) + 1)
      return counts
    },
    async quotaOf(address, signal) {
      const answer = await ask({ name: 'quotaGet', user: plainName(address) }, signal)
      if (answer !== undefined && 'exitCode' in answer && answer.exitCode === exit.unknownUser) return null
      const storage = rowsOf(answer, 'quotaGet', target).find(row => row.type === 'STORAGE')
      return storage === undefined ? { usedBytes: 0, limitBytes: null } : toQuota(storage.value, storage.limit)
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** No masks are known to the cache; of a domain everything goes, which costs each next login one look-up. */
function namesToFlush({ account }: HoldScope): readonly string[] {
  return account === null ? [] : [plainName(account)]
}

/** doveadm reads `*` and `?` as wildcards and knows no quoting, so such a name would name others too. */
function plainName(name: string): string {
  if (/[*?]/.test(name))
    throw new ProviderFailure('unsupported', `doveadm would read the name ${name} as a mask`, { retry: 'never' })
  return name
}

/** `*@hcg.sld.cu` names no subdomain and no longer name: there is nothing before the `@` that could be one. */
function maskOf({ domain, account }: HoldScope): string {
  return account === null ? `*@${domain}` : plainName(account)
}

async function listSessions(doveadm: Doveadm, scope: HoldScope, signal: AbortSignal): Promise<Session[]> {
  const inScope = scopeTest(scope)
  return (await list(doveadm, maskOf(scope), signal)).filter(({ user }) => inScope(user))
}

async function list(doveadm: Doveadm, mask: string | null, signal: AbortSignal): Promise<Session[]> {
  const [answer] = await doveadm.call([{ name: 'who', mask }], signal)
  return rowsOf(answer, 'who', doveadm.target).map(({ username, pid }) => {
    if (username === undefined || pid === undefined)
      throw new ProviderFailure('malformed-reply', `${doveadm.target}: a session without a name or process`, {
        retry: 'later',
      })
    return { user: username, process: pid }
  })
}

type Ending = {
  readonly scope: HoldScope
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told once of the sessions that are about to be ended. */
  readonly seen: (sessions: readonly Session[]) => void
}

/** @returns how many still live. */
async function endSessions(doveadm: Doveadm, { scope, clock, signal, seen }: Ending): Promise<number> {
  const inScope = scopeTest(scope)
  let waitMs = firstWaitMs
  for (let round = 1; ; round += 1) {
    const all = await list(doveadm, null, signal)
    const ours = all.filter(({ user }) => inScope(user))
    if (round === 1) seen(ours)
    if (ours.length === 0 || round === roundsMax) return ours.length
    const masks = masksToKick(scope, all)
    if (masks.length > 0) await kick(doveadm, masks, signal)
    if ((await listSessions(doveadm, scope, signal)).length === 0) return 0
    // A shared process stays as it is, however often we look.
    if (masks.length === 0) return ours.length
    await clock.sleep(waitMs, signal)
    waitMs *= 2
  }
}

/** Whom a kick reaches without ending a process that also serves somebody else. */
function masksToKick(scope: HoldScope, all: readonly Session[]): readonly string[] {
  const inScope = scopeTest(scope)
  const shared = new Set(all.filter(({ user }) => !inScope(user)).map(session => session.process))
  const ours = all.filter(({ user }) => inScope(user))
  const barred = new Set(ours.filter(session => shared.has(session.process)).map(({ user }) => user))
  if (barred.size === 0) return [maskOf(scope)]
  return [...new Set(ours.map(({ user }) => user))].filter(user => !barred.has(user) && !/[*?]/.test(user))
}

async function kick(doveadm: Doveadm, masks: readonly string[], signal: AbortSignal): Promise<void> {
  const answers = await doveadm.call(
    masks.map(mask => ({ name: 'kick', mask })),
    signal,
  )
  for (const answer of answers)
    if ('exitCode' in answer && answer.exitCode === exit.notPermitted)
      throw exitFailure('kick', answer.exitCode, doveadm.target)
}

/** Dovecot prints kilobytes, rounded up, and `-` for no limit. */
function toQuota(value: string | undefined, limit: string | undefined): Quota {
  const bytes = (text: string | undefined) => {
    const kilobytes = Number(text)
    if (text === undefined || text === '' || !Number.isSafeInteger(kilobytes))
      throw new ProviderFailure('malformed-reply', 'doveadm printed a quota that is no number', { retry: 'later' })
    return kilobytes * 1024
  }
  return { usedBytes: bytes(value), limitBytes: limit === '-' ? null : bytes(limit) }
}
