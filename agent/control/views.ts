/** The only place where the JSON of commands is shaped (contract section 4). Shapes are versioned and stable. */
import { formatInstant } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import { type DiagnosticJson, type MessageCode, phraseOf, toDiagnosticJson, wordsOf } from '../core/messages.ts'
import type { CountryReading } from '../manifest/country-data.ts'
import type { Outcome, Plan } from '../model/change.ts'
import type { CountrySetting, CountrySource } from '../model/country.ts'
import type { Language } from '../model/entity.ts'
import type { Ref } from '../model/resource.ts'
import type { DomainState, World } from '../model/world.ts'
import { isProvisioned } from '../model/world.ts'
import type { OperationResult } from './protocol.ts'

export type PlanView = {
  readonly version: 1
  readonly digest: string
  readonly createdAt: string
  readonly target: string
  readonly changes: Plan['changes']
  /** Domains that get a DKIM key, and its record, when this is applied. */
  readonly keys: Plan['keys']
  readonly refusals: readonly { readonly guard: string; readonly detail: string; readonly accept: string | null }[]
  readonly held: Plan['held']
  readonly contested: readonly { readonly ref: Ref; readonly reason: string }[]
  readonly diagnostics: readonly DiagnosticJson[]
}

export function planView(plan: Plan, language: Language): PlanView {
  return {
    version: 1,
    digest: plan.digest,
    createdAt: plan.createdAt,
    target: plan.target,
    changes: plan.changes,
    keys: plan.keys,
    refusals: plan.refusals.map(({ guard, code, values, accept }) => {
      return { guard, detail: wordsOf({ severity: 'error', code, values }, language).detail, accept }
    }),
    held: plan.held,
    contested: plan.contested.map(({ ref, reason }) => ({ ref, reason: phraseOf(reason, {}, language) })),
    diagnostics: diagnosticsView(plan.diagnostics, language),
  }
}

export function diagnosticsView(diagnostics: readonly Diagnostic[], language: Language): DiagnosticJson[] {
  return diagnostics.map(diagnostic => toDiagnosticJson(diagnostic, language))
}

/** 0 nothing to do, 2 changes pending or left undone, 3 refused by a guard. */
export function planExit(plan: Plan): number {
  if (plan.refusals.length > 0) return 3
  return plan.changes.length + plan.keys.length + plan.contested.length + plan.unsupported > 0 ? 2 : 0
}

export type ApplyView = {
  readonly version: 1
  readonly digest: string
  readonly counts: Readonly<Record<Outcome['result'], number>>
  readonly keysMade: number
  readonly converged: boolean
  readonly outcomes: readonly Outcome[]
  readonly refusals: PlanView['refusals']
  readonly held: Plan['held']
  readonly contested: readonly { readonly ref: Ref; readonly reason: string }[]
  readonly diagnostics: readonly DiagnosticJson[]
}

export function countOutcomes(outcomes: readonly Outcome[]): Record<Outcome['result'], number> {
  const counts = { applied: 0, failed: 0, skipped: 0, conflict: 0, unknown: 0 }
  for (const outcome of outcomes) counts[outcome.result] += 1
  return counts
}

/** Country data in force; null where none are configured. */
export type CountryView = {
  readonly path: string
  readonly countries: readonly string[]
  readonly state: CountryReading['state']
  readonly sources: readonly (CountrySource & { readonly ageDays: number })[]
  readonly diagnostics: readonly DiagnosticJson[]
}

/** @param today of the operator, `YYYY-MM-DD`. */
export function countryView(
  reading: CountryReading | null,
  setting: CountrySetting | null,
  { today, language }: { readonly today: string; readonly language: Language },
): CountryView | null {
  if (reading === null || setting === null) return null
  const { table, state, diagnostics } = reading
  const ageOf = (date: string) => Math.max(0, Math.round((Date.parse(today) - Date.parse(date)) / dayMs))
  return {
    path: setting.path,
    countries: table.countries,
    state,
    sources: table.sources.map(source => ({ ...source, ageDays: ageOf(source.date) })),
    diagnostics: diagnosticsView(diagnostics, language),
  }
}

const dayMs = 24 * 60 * 60 * 1000

export type DomainView = {
  readonly name: string
  readonly institution: string | null
  readonly state: DomainState
  readonly accounts: number
  readonly queued: number
  readonly blocked: number
  readonly held: readonly string[]
  /** Of the domain or of accounts of it: tighter limits until then. */
  readonly probation: readonly { readonly incident: string; readonly until: string; readonly percent: number }[]
  /** What blocks it, as codes. */
  readonly blockedBy: readonly string[]
}

export function domainViews(world: World, blocked: ReadonlyMap<string, readonly Diagnostic[]>): DomainView[] {
  const accounts = Map.groupBy(world.accounts.values(), account => account.account.domain)
  const views = [...world.domains.values()].map(({ domain, state, blockedBy }): DomainView => {
    const own = accounts.get(domain.name) ?? []
    const count = (matches: (state: DomainState) => boolean) => own.filter(account => matches(account.state)).length
    return {
      name: domain.name,
      institution: domain.institution,
      state,
      accounts: count(is => isProvisioned(is) && is !== 'withdrawn'),
      queued: count(is => is === 'queued'),
      blocked: own.filter(account => account.state === 'blocked' || account.blockedBy.length > 0).length,
      held: [...new Set(world.holds.filter(hold => hold.scope.domain === domain.name).map(hold => hold.incident))],
      probation: (world.probations ?? [])
        .filter(({ scope }) => scope.domain === domain.name)
        .map(({ incident, until, percent }) => ({ incident, until: formatInstant(until), percent })),
      blockedBy: [...new Set(blockedBy.map(diagnostic => diagnostic.code))],
    }
  })
  // A domain whose own document has a broken shape is known by its name only; it is shown, not forgotten.
  for (const [subject, diagnostics] of blocked) {
    const name = subject.startsWith('domain:') ? subject.slice(7) : null
    if (name === null || world.domains.has(name as never)) continue
    const blockedBy = [...new Set(diagnostics.map(diagnostic => diagnostic.code))]
    views.push({
      name,
      institution: null,
      state: 'blocked',
      accounts: 0,
      queued: 0,
      blocked: 0,
      held: [],
      probation: [],
      blockedBy,
    })
  }
  return views.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** A refusal of one finding, in the language of the caller. */
export function refuse(
  exit: number,
  code: MessageCode,
  values: Readonly<Record<string, string>>,
  language: Language,
  suggestion?: string,
): OperationResult {
  const found = { severity: 'error', code, values, ...(suggestion === undefined ? {} : { suggestion }) } as const
  return refusedResult(exit, [found], language)
}

/** A refusal: its codes for scripts, its sentences for people. */
export function refusedResult(exit: number, refusals: readonly Diagnostic[], language: Language): OperationResult {
  const line = (diagnostic: Diagnostic) => {
    const { summary, detail } = wordsOf(diagnostic, language)
    const suggestion = diagnostic.suggestion === undefined ? '' : ` → ${diagnostic.suggestion}`
    return `${diagnostic.code}: ${summary}. ${detail}${suggestion}`
  }
  const error = refusals.map(line).join('\n')
  return { exit, json: { version: 1, error, refusals: diagnosticsView(refusals, language) } }
}
