/** Text for people from the JSON of commands. Pure: strings in, lines out; colour is the caller's. */

import type { VerificationView } from '../control/verification.ts'
import type { ApplyView, CountryView, DomainView, PlanView } from '../control/views.ts'
import type { DiagnosticJson } from '../core/messages.ts'
import type { Explanation } from '../decision/explain.ts'
import type { Change } from '../model/change.ts'
import type { Resource } from '../model/resource.ts'
import type { Paint } from './paint.ts'
import { verificationLines } from './render-verify.ts'
import { printable, type Say } from './texts.ts'

/** Lines of a kind shown before the rest is only counted. */
const linesMax = 60

function describe(resource: Resource): string {
  switch (resource.kind) {
    case 'zone':
      return ''
    case 'rrset':
      return `${resource.ttl} ${resource.values.map(value => (value.length > 60 ? `${value.slice(0, 57)}…` : value)).join(' | ')}`
    case 'domain':
      return `${resource.delivery} login=${resource.login}${resource.delivery === 'multipop' ? ` collection=${resource.collection}` : ''}`
    case 'account':
      return `${resource.role} ${resource.status}${resource.allowNets === null ? '' : ` from ${resource.allowNets.join(',') || '–'}`}`
    case 'member':
      return `${resource.topics.join(',')} for ${resource.institutions.join(',')}`
  }
}

function changedFields(before: Resource, after: Resource): string {
  const was = before as unknown as Record<string, unknown>
  return Object.entries(after)
    .filter(([key, value]) => JSON.stringify(was[key]) !== JSON.stringify(value))
    .map(([key, value]) => `${key}: ${JSON.stringify(was[key])} → ${JSON.stringify(value)}`)
    .join(', ')
}

function sourceOf(change: Change): string {
  if (change.source === null) return ''
  return 'incident' in change.source
    ? `  [${change.source.incident}]`
    : `  [${change.source.file}:${change.source.line}]`
}

function changeLine(change: Change, say: Say, paint: Paint): string {
  const name = printable(`${change.ref.kind} ${change.ref.key}`)
  const why = change.why === 'manifest' ? '' : `  (${change.why})`
  const edit = change.lastEdit === undefined ? '' : `  ${printable(say('lastEdit', change.lastEdit))}`
  const tail = paint('dim', `${why}${sourceOf(change)}${edit}`)
  switch (change.action) {
    case 'create':
      return `${paint('add', '+')} ${name}  ${printable(describe(change.after))}${tail}`
    case 'update':
      return `${paint('change', '~')} ${name}  ${printable(changedFields(change.before, change.after))}${tail}`
    case 'delete':
      return `${paint('remove', '-')} ${name}  ${printable(describe(change.before))}${tail}`
  }
}

/** What is wrong in the manifests: each error in a line, as `validate` has it in several; warnings are only counted. */
function diagnosticLines(diagnostics: readonly DiagnosticJson[], say: Say, paint: Paint): string[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'error')
  const lines = errors.slice(0, linesMax).map(diagnostic => paint('remove', diagnosticLine(diagnostic, say)))
  if (errors.length > linesMax) lines.push(say('moreLines', { count: errors.length - linesMax }))
  if (errors.length > 0) lines.push(paint('warn', say('lastValid')))
  const warnings = diagnostics.length - errors.length
  if (warnings > 0) lines.push(say('warningsSee', { warnings }))
  return lines
}

function diagnosticLine({ file, line, column, code, summary, detail, suggestion }: DiagnosticJson, say: Say): string {
  const place = file === null ? '' : `${file}:${line}:${column}  `
  const meant = suggestion === undefined ? '' : ` ${say('meant', { word: suggestion })}`
  return `${printable(place)}error ${code}: ${summary}. ${printable(detail)}${meant}`
}

type Left = Pick<PlanView, 'refusals' | 'held' | 'contested' | 'diagnostics'>

function refusalLines(view: Left, say: Say, paint: Paint): string[] {
  const lines = view.refusals.map(({ guard, detail }) => paint('warn', say('refused', { guard, detail })))
  const accepts = new Set(view.refusals.flatMap(({ accept }) => accept ?? []))
  if (accepts.size > 0) lines.push(say('refusedAccept', { accept: [...accepts].join(',') }))
  const held = Map.groupBy(view.held, ({ incident }) => incident)
  for (const [incident, refs] of held) lines.push(paint('warn', say('heldLine', { incident, count: refs.length })))
  for (const { ref, reason } of view.contested.slice(0, linesMax))
    lines.push(paint('warn', say('contestedLine', { ref: `${ref.provider}:${ref.kind}:${ref.key}`, reason })))
  return lines
}

/** That nothing is done is no claim that nothing is left. */
function nothingLine({ refusals, held, contested, diagnostics }: Left, say: Say): string[] {
  if (refusals.length > 0) return []
  const left = held.length + contested.length > 0 || diagnostics.some(({ severity }) => severity === 'error')
  return [say(left ? 'nothingElse' : 'nothingToDo')]
}

export function renderPlan(view: PlanView, say: Say, paint: Paint): string[] {
  const lines = view.changes.slice(0, linesMax).map(change => changeLine(change, say, paint))
  if (view.changes.length > linesMax) lines.push(say('moreLines', { count: view.changes.length - linesMax }))
  for (const domain of view.keys.slice(0, linesMax)) lines.push(`${paint('add', '+')} ${say('keyToMake', { domain })}`)
  const count = (action: Change['action']) => view.changes.filter(change => change.action === action).length
  lines.push(...refusalLines(view, say, paint), ...diagnosticLines(view.diagnostics, say, paint))
  if (view.changes.length + view.keys.length === 0) lines.push(...nothingLine(view, say))
  else
    lines.push(
      paint(
        'strong',
        say('planSummary', {
          create: count('create') + view.keys.length,
          update: count('update'),
          delete: count('delete'),
        }),
      ),
    )
  return lines
}

type Applied = ApplyView & { readonly stale?: boolean; readonly verification?: VerificationView | null }

export function renderApply(view: Applied, say: Say, paint: Paint): string[] {
  if (view.stale) return [paint('warn', say('stale'))]
  const lines = view.outcomes
    .filter(outcome => outcome.result !== 'applied')
    .slice(0, linesMax)
    .map(
      ({ ref, result, detail }) =>
        `${paint('remove', result)} ${printable(`${ref.kind} ${ref.key}`)}: ${printable(detail ?? '')}`,
    )
  lines.push(...refusalLines(view, say, paint), ...diagnosticLines(view.diagnostics, say, paint))
  if (view.keysMade > 0) lines.push(say('keysMade', { count: view.keysMade }))
  const counted = Object.values(view.counts).some(count => count > 0)
  if (counted) lines.push(paint('strong', say('applied', view.counts)))
  else lines.push(...nothingLine(view, say))
  if (counted && !view.converged) lines.push(say('notConverged'))
  return [...lines, ...verificationLines(view.verification ?? null, say, paint)]
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, [...(row[column] ?? '')].length), 0),
  )
  return rows.map(row =>
    row
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
      .join('  ')
      .trimEnd(),
  )
}

export type StatusView = {
  readonly domains: readonly DomainView[]
  readonly incidents: readonly {
    readonly id: string
    readonly state: string
    readonly class: string
    readonly domain: string
    readonly drill?: boolean
    readonly liveDrill?: boolean
  }[]
  readonly providers: readonly {
    readonly name: string
    readonly target: string
    readonly ok: boolean
    readonly detail: string | null
  }[]
  readonly register: { readonly size: number; readonly trusted: boolean; readonly findings: readonly string[] }
  /** Of the last day; absent from an older daemon. */
  readonly signals?: readonly { readonly code: string; readonly level: string; readonly subject: string | null }[]
  /** Absent from an older daemon. */
  readonly detection?: DetectionJson
  /** The newest that was whole; absent from an older daemon. */
  readonly lastDrill?: { readonly incident: string; readonly scope: string; readonly endedAt: string } | null
  readonly lastVerification: { readonly at: string; readonly probes: number; readonly asWanted: number } | null
  readonly daemon: { readonly pid: number } | null
  readonly configuration: { readonly file: string; readonly changed: boolean }
  /** Absent in the answer of an older daemon. */
  readonly country?: CountryView | null
  readonly diagnostics: readonly DiagnosticJson[]
}

export function renderStatus(view: StatusView, say: Say, paint: Paint): string[] {
  const head = [say('domain'), say('institution'), say('state'), say('accounts'), say('held')]
  const rows = view.domains.map(domain => {
    const extra = [
      domain.queued > 0 ? say('queued', { count: domain.queued }) : '',
      domain.blocked > 0 ? say('blocked', { count: domain.blocked }) : '',
    ]
    const why = domain.held.length > 0 ? domain.held.join(' ') : domain.blockedBy.join(' ')
    return [
      domain.name,
      domain.institution ?? '?',
      domain.state,
      [domain.accounts, ...extra].filter(Boolean).join(' '),
      why,
    ].map(printable)
  })
  const [header = '', ...body] = table([head, ...rows])
  const incidents = view.incidents.map(one => {
    const words = [one.id, one.state, one.class, one.domain]
    return [...words, ...(one.drill === true || one.liveDrill === true ? [say('drillWord')] : [])].join('  ')
  })
  const trust = view.register.trusted ? say('trusted') : say('distrusted', { why: view.register.findings.join('; ') })
  return [
    paint('strong', header),
    ...body.map((line, index) => (view.domains[index]?.state === 'active' ? line : paint('warn', line))),
    ...(incidents.length > 0 ? ['', ...incidents] : []),
    ...(view.diagnostics.length > 0 ? ['', ...diagnosticLines(view.diagnostics, say, paint)] : []),
    '',
    ...view.providers.map(
      provider => `${provider.name}: ${provider.target} ${provider.ok ? 'ok' : paint('remove', provider.detail ?? '')}`,
    ),
    ...signalLines(view, say),
    ...detectionLines(view, say, paint),
    ...(view.lastDrill == null
      ? []
      : [say('drillLast', { ...view.lastDrill, scope: printable(view.lastDrill.scope), at: view.lastDrill.endedAt })]),
    ...(view.lastVerification === null ? [] : [say('verifiedLast', view.lastVerification)]),
    say('registerLine', { size: view.register.size, trust }),
    view.daemon === null ? say('daemonDown') : say('daemonUp', { pid: view.daemon.pid }),
    ...(view.country ? countryLines(view.country, say, paint) : []),
    ...(view.configuration.changed
      ? [paint('warn', say('configurationChanged', { file: view.configuration.file }))]
      : []),
  ]
}

type DetectionJson = {
  readonly restrict: string
  readonly storm: {
    readonly until: string
    readonly domains: number
    readonly accounts: number
    readonly signals: number
  } | null
  readonly proposals: readonly { readonly scope: string; readonly rule: string; readonly codes: readonly string[] }[]
}

/** The newest first, as of signals. */
function detectionLines({ detection }: StatusView, say: Say, paint: Paint): string[] {
  if (detection === undefined) return []
  const { storm, proposals } = detection
  const more = proposals.length - signalsShown
  return [
    ...(storm === null ? [] : [paint('remove', say('stormLine', storm))]),
    ...proposals
      .slice(-signalsShown)
      .toReversed()
      .map(({ scope, rule, codes }) =>
        paint('warn', say('proposalLine', { scope: printable(scope), rule, codes: codes.join(', ') })),
      ),
    ...(more > 0 ? [say('proposalMore', { count: more })] : []),
  ]
}

function countryLine({ address, value, source }: NonNullable<Explanation['country']>, say: Say): string {
  const word = say(value === 'national' ? 'countryNational' : value === 'foreign' ? 'countryForeign' : 'countryUnknown')
  const row =
    source === null
      ? say('countryNoRow')
      : `${source.file}:${source.line} (${source.registry} ${source.serial}, ${source.date})`
  return printable(`${address}: ${word}, ${row}`)
}

function countryLines({ path, state, sources, diagnostics }: CountryView, say: Say, paint: Paint): string[] {
  const told = [`${say('countryData')}: ${countrySources(sources, say) || printable(path)}`]
  return [
    state === 'current'
      ? told[0]!
      : paint('remove', `${told[0]} (${say(state === 'kept' ? 'countryKept' : 'countryNone')})`),
    ...diagnostics.slice(0, linesMax).map(diagnostic => paint('remove', diagnosticLine(diagnostic, say))),
  ]
}

/** Registry, serial, date and age of each file. */
export function countrySources(sources: CountryView['sources'], say: Say): string {
  return sources
    .map(({ registry, serial, date, ageDays }) => say('countrySource', { registry, serial, date, ageDays }))
    .join('; ')
}

export type ExplainView = {
  readonly effect: string
  readonly reason: string
  readonly reply: string
  readonly verdicts: readonly { readonly policy: string; readonly effect: string; readonly reason: string }[]
  readonly source:
    | { readonly file: string; readonly line: number; readonly column: number }
    | { readonly incident: string }
    | null
  /** Absent in the answer of an older daemon. */
  readonly country?: Explanation['country']
}

export function renderExplain(view: ExplainView, say: Say, paint: Paint): string[] {
  const style = view.effect === 'dunno' ? 'add' : view.effect === 'defer' ? 'change' : 'remove'
  const told = (reason: string) =>
    reason === 'passed' ? say('passed') : reason === 'not concerned' ? say('notConcerned') : reason
  const rows = view.verdicts.map(({ policy, effect, reason }) => [policy, effect, told(reason)].map(printable))
  const source = view.source
  const because =
    source === null ? [] : ['incident' in source ? source.incident : `${source.file}:${source.line}:${source.column}`]
  return [
    `${paint(style, view.effect)}  ${printable(view.reply)}`,
    ...table(rows).map(line => `  ${line}`),
    ...because.map(text => `${say('source')} ${printable(text)}`),
    ...(view.country ? [countryLine(view.country, say)] : []),
  ]
}

const signalsShown = 5

/** The newest first; whoever needs all of them asks for JSON. */
function signalLines({ signals = [] }: StatusView, say: Say): string[] {
  const more = signals.length - signalsShown
  return [
    ...signals
      .slice(-signalsShown)
      .toReversed()
      .map(({ code, level, subject }) => say('signalLine', { code, level, subject: printable(subject ?? '-') })),
    ...(more > 0 ? [say('signalMore', { count: more })] : []),
  ]
}
