/** A register in memory, of signals and of what they made due, played against the real folds and the real `suspend`. */
import type { Instant } from '../../agent/core/clock.ts'
import { formatInstant } from '../../agent/core/clock.ts'
import { applyDetectionEntry, type DetectionBook, emptyDetection } from '../../agent/detection/book.ts'
import { proposalEntry, reasonOf, resumedEntry, stormEntry, triggerOf } from '../../agent/detection/entries.ts'
import { type Due, dueAnswers } from '../../agent/detection/respond.ts'
import { applyEntry, emptyIncidents, type Incidents } from '../../agent/incident/lifecycle.ts'
import { suspend } from '../../agent/incident/suspend.ts'
import type { RestrictMode } from '../../agent/model/detection.ts'
import type { HoldScope } from '../../agent/model/incident.ts'
import { type Address, type DomainName, domainOf, parseAddress, parseDomainName } from '../../agent/model/name.ts'
import type { NewEntry } from '../../agent/register/register.ts'
import { contextOf, store } from '../incident/fixture.ts'

export const begin: Instant = Date.parse('2026-07-01T15:00:00Z')
export const minuteMs = 60_000

const daemon = { person: 'daemon', role: 'daemon' }

/** Whatever ends in .cu is managed here; the rest is a stranger's. */
function scopeOf(subject: string): HoldScope | undefined {
  const domain = parseDomainName(subject)
  if (domain !== undefined && subject.endsWith('.cu')) return { domain, account: null }
  const account = parseAddress(subject)
  return account?.endsWith('.cu') ? { domain: domainOf(account), account } : undefined
}

export type Raised = readonly [code: string, level: 'record' | 'alert' | 'act', subject: string, minute?: number]

export class Watch {
  readonly book: DetectionBook = emptyDetection()
  incidents: Incidents = emptyIncidents
  at: Instant = begin
  readonly mode: RestrictMode
  readonly domains: number
  readonly entries: NewEntry[] = []

  constructor(mode: RestrictMode, domains = 100) {
    this.mode = mode
    this.domains = domains
  }

  append(entries: readonly NewEntry[]): void {
    for (const entry of entries) {
      const stored = store(entry, this.entries.length)
      this.entries.push(entry)
      applyDetectionEntry(this.book, stored)
      this.incidents = applyEntry(this.incidents, stored)
    }
  }

  raise(signals: readonly Raised[]): void {
    for (const [code, level, subject, minute] of signals) {
      if (minute !== undefined) this.at = begin + minute * minuteMs
      this.append([
        {
          kind: 'signal.raised',
          actor: daemon,
          at: formatInstant(this.at),
          subject: 'policy',
          rule: 'S37',
          facts: { code, level, count: 50, since: formatInstant(this.at) },
          personal: { subject },
        },
      ])
    }
  }

  due(): readonly Due[] {
    return dueAnswers(
      {
        book: this.book,
        incidents: this.incidents,
        config: {
          restrict: this.mode,
          storm: { holds: 10, domainsPercent: 10 },
          reports: null,
          blocklists: null,
          logins: { logs: [], proxies: [] },
        },
        scopeOf,
        administratorOf: (domain: DomainName) => `admin@${domain}` as Address,
        domains: this.domains,
      },
      this.at,
    )
  }

  suspendBy(person: string, scope: string): void {
    const context = contextOf(person, { at: this.at, resolveScope: scopeOf })
    const result = suspend(this.incidents, { scope, reason: 'x', class: 'spam', drill: false }, context)
    if (!result.ok) throw new Error(JSON.stringify(result.refusals))
    this.append(result.entries)
  }

  /** Two people declare it unfounded, as the acts write it. */
  annul(id: string): void {
    const by = (person: string) => ({ person, role: 'security-lead' })
    const common = { at: formatInstant(this.at), subject: id, rule: 'D5' }
    const facts = { incident: id, digest: '0'.repeat(64) }
    this.append([
      { kind: 'incident.annul-approved', actor: by('ana'), ...common, facts },
      { kind: 'incident.annulled', actor: by('berta'), ...common, facts: { ...facts, by: ['ana', 'berta'] } },
    ])
  }

  resume(): void {
    this.append([resumedEntry('seen to', { actor: { person: 'ana', role: 'responder' }, at: this.at })])
  }

  /** Answers until nothing is due any more; gives what was done, in order. */
  settle(): string[] {
    const done: string[] = []
    for (let due = this.due(); due.length > 0; due = this.due()) {
      if (done.length > 1_000) throw new Error(`never settles: ${done.slice(0, 5).join(', ')}`)
      for (const one of due) done.push(this.answer(one))
    }
    return done
  }

  private answer(one: Due): string {
    const by = { actor: daemon, at: this.at }
    if (one.kind === 'storm') {
      this.append([stormEntry(one, by)])
      return `storm ${one.counts.domains} ${one.counts.accounts}`
    }
    const name = one.scope.account ?? one.scope.domain
    if (one.kind === 'propose') this.append([proposalEntry(one, this.mode, by)])
    else {
      const context = { ...contextOf('x', { at: this.at, resolveScope: scopeOf }), actor: daemon, token: false }
      const args = { scope: name, reason: reasonOf(one, 'es'), class: one.class, drill: false, trigger: triggerOf(one) }
      const result = suspend(this.incidents, args, context)
      if (!result.ok) throw new Error(JSON.stringify(result.refusals))
      this.append(result.entries)
    }
    return `${one.kind} ${name} ${one.rule}`
  }
}
