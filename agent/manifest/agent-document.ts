/**
 * The agent's own configuration: one Agent document, checked like any manifest and resolved to an AgentConfig with
 * defaults filled in and absolute paths (contract section 3). Pure.
 */
import { dirname, resolve } from 'node:path'
import { dayMs } from '../core/clock.ts'
import type { Diagnostic } from '../core/diagnostic.ts'
import type { CountrySetting } from '../model/country.ts'
import { type Address, type DomainName, parseAddress, parseDomainName } from '../model/name.ts'
import { defaultSignals, type SignalSettings } from '../model/signal.ts'
import type { AgentConfig } from '../model/world.ts'
import { resolveDetection } from './agent-detection.ts'
import { type Resolving, resolveProviders } from './agent-providers.ts'
import { resolveVerify } from './agent-verify.ts'
import { parseFile, type Sheet } from './file.ts'
import { createFindings, type Findings } from './findings.ts'
import { durationMs } from './forms.ts'
import { parseNetwork } from './network.ts'
import type { AgentSpec } from './schema.ts'
import type { Path } from './tree.ts'
import type { SourceFile } from './types.ts'

export type ConfigReading = {
  /** null when there are errors. */
  readonly config: AgentConfig | null
  readonly diagnostics: readonly Diagnostic[]
}

/** @param file the absolute path that paths in the text are relative to. */
export function resolveConfig(source: SourceFile, file: string): ConfigReading {
  const findings = createFindings()
  if ('failure' in source && source.failure === 'unreadable') {
    findings.add({ severity: 'error', code: 'E-CONFIG-UNREADABLE', values: { file } })
    return { config: null, diagnostics: findings.diagnostics() }
  }
  const parsed = parseFile(source, ['Agent'])
  for (const diagnostic of parsed.diagnostics) findings.add(diagnostic)
  const [sheet] = parsed.sheets
  if (sheet === undefined || parsed.sheets.length > 1) {
    if (parsed.diagnostics.length === 0) {
      const values = { count: String(parsed.sheets.length) }
      findings.add({
        severity: 'error',
        code: 'E-CONFIG-DOCUMENTS',
        values,
        place: { file: source.path, line: 1, column: 1 },
      })
    }
    return { config: null, diagnostics: findings.diagnostics() }
  }
  const config = checkAgent(findings, sheet, file)
  const diagnostics = findings.diagnostics()
  return { config: diagnostics.some(({ severity }) => severity === 'error') ? null : config, diagnostics }
}

/** Judges an Agent document wherever it stands; null when its shape is broken. */
export function checkAgent(findings: Findings, sheet: Sheet, file: string): AgentConfig | null {
  for (const finding of sheet.findings) findings.shape(sheet, finding)
  if (!sheet.sound || sheet.findings.length > 0) return null
  return resolveSpec(findings, sheet, (sheet.value as { spec: AgentSpec }).spec, file)
}

const defaults = {
  timeZone: 'America/Havana',
  officeHours: 'mon-fri 08:00-17:00',
  suffixes: ['cu'],
  policyListen: ['127.0.0.1:10031'],
  schedule: { reconcile: '*/5 * * * *', audit: '0 6 * * *' },
  limits: { deletes: 5, updatePercent: 30, recipientsPerHour: 200, recipientsPerDay: 500 },
  probation: { days: 7, percent: 50 },
}

function resolveSpec(findings: Findings, sheet: Sheet, spec: AgentSpec, file: string): AgentConfig {
  const at: Resolving = { findings, sheet, folder: dirname(file) }
  const stateFolder = resolve(at.folder, spec.state)
  const providers = resolveProviders(at, spec.providers, stateFolder)
  return {
    file,
    manifestsFolder: resolve(at.folder, spec.manifests),
    stateFolder,
    storeFile: resolveStore(at, spec.store, stateFolder),
    // One always stands beside the store; those that are configured had better stand elsewhere.
    witnessFiles: [
      resolve(at.folder, spec.state, 'register.witness'),
      ...(spec.witnesses ?? []).map(witness => resolve(at.folder, witness)),
    ],
    operator: resolveOperator(at, spec),
    national: resolveNational(at, spec),
    mail: resolveMail(at, spec.mail),
    providers,
    verify: resolveVerify(at, spec.verify, providers.dns),
    listen: {
      policy: (spec.listen?.policy ?? defaults.policyListen).map((listener, index) => {
        const path = ['spec', 'listen', 'policy', index]
        if (typeof listener === 'string') return { on: resolveListen(at, path, listener), modes: {} }
        return { on: resolveListen(at, [...path, 'on'], listener.on), modes: listener.modes ?? {} }
      }),
    },
    modes: spec.modes ?? {},
    evidence: {
      logs: (spec.evidence?.logs ?? []).map(file => resolve(at.folder, file)),
      keepDays: spec.evidence?.keepDays ?? null,
    },
    schedule: resolveSchedule(at, spec),
    limits: { ...defaults.limits, ...spec.limits },
    signals: resolveSignals(spec.signals),
    incidents: {
      nationalAfterMs: durationMs(spec.incidents?.release?.nationalAfter ?? '0s'),
      internationalAfterMs: durationMs(spec.incidents?.release?.internationalAfter ?? '0s'),
      probationMs: (spec.incidents?.probation?.days ?? defaults.probation.days) * dayMs,
      probationPercent: spec.incidents?.probation?.percent ?? defaults.probation.percent,
    },
    testDomains: resolveTestDomains(at, spec.incidents?.testDomains ?? []),
    detection: resolveDetection(at, spec.detection),
  }
}

function resolveSignals(spec: AgentSpec['signals'] = {}): SignalSettings {
  const names = Object.keys(defaultSignals) as (keyof SignalSettings)[]
  const merged = names.map(name => [name, { ...defaultSignals[name], ...spec[name] }])
  return Object.fromEntries(merged) as SignalSettings
}

function resolveStore({ findings, sheet, folder }: Resolving, store: string | undefined, stateFolder: string): string {
  if (store === undefined) return resolve(stateFolder, 'mailwarden.db')
  const [, scheme = '', rest = ''] = /^([a-z]+):(.+)$/s.exec(store) ?? []
  if (scheme === 'sqlite' && !rest.startsWith('//')) return resolve(folder, rest)
  const foreseen = scheme === 'postgres' || scheme === 'postgresql'
  // The whole text may hold a password.
  if (foreseen) findings.error('E-UNSUPPORTED', sheet, ['spec', 'store'], { found: `${scheme}:`, known: 'sqlite:' })
  else findings.error('E-STORE', sheet, ['spec', 'store'], { found: scheme === '' ? store : `${scheme}:` })
  return ''
}

function resolveOperator({ findings, sheet }: Resolving, { operator }: AgentSpec): AgentConfig['operator'] {
  const timeZone = operator.timeZone ?? defaults.timeZone
  if (!isTimeZone(timeZone)) {
    findings.error('E-TIME-ZONE', sheet, ['spec', 'operator', 'timeZone'], { found: timeZone })
  }
  const contact = (key: 'support' | 'security'): string | null => {
    const text = operator.contacts?.[key]
    if (text === undefined) return null
    const address = parseAddress(text)
    if (address === undefined) {
      findings.error('E-ADDRESS', sheet, ['spec', 'operator', 'contacts', key], { found: text })
    }
    return address ?? null
  }
  const onCall = (operator.onCall ?? []).flatMap((text, index) => {
    const address = parseAddress(text)
    if (address !== undefined) return [address]
    findings.error('E-ADDRESS', sheet, ['spec', 'operator', 'onCall', index], { found: text })
    return []
  })
  const people = operator.people ?? []
  for (const [index, { name }] of people.entries()) {
    if (people.findIndex(person => person.name === name) === index) continue
    const path = ['spec', 'operator', 'people', index, 'name']
    findings.error('E-DUPLICATE-NAME', sheet, path, { kind: 'people', name })
  }
  return {
    name: operator.name,
    language: operator.language ?? 'es',
    timeZone,
    officeHours: operator.officeHours ?? defaults.officeHours,
    support: contact('support'),
    security: contact('security'),
    people,
    onCall,
  }
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== ''
  } catch {
    return false
  }
}

function resolveTestDomains(at: Resolving, texts: readonly string[]): readonly DomainName[] {
  return texts.flatMap((text, index) => {
    const name = parseDomainName(text)
    if (name !== undefined) return [name]
    const values = { found: text, reason: 'name.domain' }
    at.findings.error('E-NAME', at.sheet, ['spec', 'incidents', 'testDomains', index], values)
    return []
  })
}

function resolveNational(at: Resolving, { national }: AgentSpec): AgentConfig['national'] {
  const names = (key: 'suffixes' | 'domains', texts: readonly string[]) =>
    texts.flatMap((text, index) => {
      const name = parseDomainName(text.replace(/^\./, ''))
      if (name !== undefined) return [name]
      const values = { found: text, reason: 'name.suffix' }
      at.findings.error('E-NAME', at.sheet, ['spec', 'national', key, index], values)
      return []
    })
  const networks = (national?.networks ?? []).flatMap((text, index) => {
    const parsed = parseNetwork(text)
    if ('network' in parsed) return [parsed.network]
    const values = { found: text, reason: `network.${parsed.problem}` }
    const path = ['spec', 'national', 'networks', index]
    at.findings.error('E-NETWORK', at.sheet, path, values, { suggestion: parsed.suggestion })
    return []
  })
  const suffixes = names('suffixes', national?.suffixes ?? defaults.suffixes)
  return {
    suffixes,
    domains: names('domains', national?.domains ?? []),
    networks,
    countryData: resolveCountryData(at, national?.countryData ?? null, suffixes),
  }
}

/** Of the suffixes those of two letters are countries (ISO 3166-1), as top-level domains are (RFC 1591). */
function resolveCountryData(
  { findings, sheet, folder }: Resolving,
  countryData: string | null | { readonly files: string; readonly countries?: readonly string[] },
  suffixes: readonly string[],
): CountrySetting | null {
  if (countryData === null) return null
  const { files, countries: named } = typeof countryData === 'string' ? { files: countryData } : countryData
  const path = ['spec', 'national', 'countryData']
  for (const [index, found] of (named ?? []).entries())
    if (!isCountry(found.toLowerCase()))
      findings.error('E-COUNTRY-CODE', sheet, [...path, 'countries', index], { reason: 'country.twoLetters', found })
  const countries = named?.map(country => country.toLowerCase()) ?? suffixes.filter(isCountry)
  if (countries.length === 0) findings.error('E-COUNTRY-CODE', sheet, path, { reason: 'country.noSuffix' })
  return { path: resolve(folder, files), countries: [...new Set(countries)].sort() }
}

function isCountry(text: string): boolean {
  return /^[a-z]{2}$/.test(text)
}

function resolveMail(at: Resolving, mail: AgentSpec['mail']): AgentConfig['mail'] {
  const host = (path: Path, text: string): DomainName => {
    const name = parseDomainName(text)
    if (name?.includes('.')) return name
    at.findings.error('E-NAME', at.sheet, ['spec', 'mail', ...path], { found: text, reason: 'name.host' })
    return '' as DomainName
  }
  const address = (path: Path, text: string): Address => {
    const parsed = parseAddress(text)
    if (parsed !== undefined) return parsed
    at.findings.error('E-ADDRESS', at.sheet, ['spec', 'mail', ...path], { found: text })
    return '' as Address
  }
  const mx = mail.mx.map((one, index) => ({ host: host(['mx', index, 'host'], one.host), priority: one.priority }))
  const hostmaster = address(['hostmaster'], mail.hostmaster)
  const first = mx.toSorted((a, b) => a.priority - b.priority)[0]?.host ?? ('' as DomainName)
  const submission = mail.submission === undefined ? first : host(['submission'], mail.submission)
  return {
    mx,
    nameServers: mail.nameServers.map((name, index) => host(['nameServers', index], name)),
    hostmaster,
    submission,
    web: mail.web === undefined ? submission : host(['web'], mail.web),
    reports: mail.reports === undefined ? hostmaster : address(['reports'], mail.reports),
  }
}

/** `host:port`, `[v6]:port`, or `unix:PATH` with the path made absolute. Port 0 takes any free port. */
function resolveListen({ findings, sheet, folder }: Resolving, path: Path, text: string): string {
  if (text.startsWith('unix:') && text.length > 5) return `unix:${resolve(folder, text.slice(5))}`
  if (/^systemd:[A-Za-z0-9_.-]+$/.test(text)) return text
  const [, host, port] = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65535) findings.error('E-LISTEN', sheet, path, { found: text })
  return text
}

function resolveSchedule({ findings, sheet }: Resolving, { schedule }: AgentSpec): AgentConfig['schedule'] {
  for (const key of ['reconcile', 'audit'] as const) {
    const text = schedule?.[key]
    if (text === undefined || /^(?:[\d*,/a-z-]+ +){4}[\d*,/a-z-]+$/i.test(text)) continue
    findings.error('E-SCHEDULE', sheet, ['spec', 'schedule', key], { found: text })
  }
  return { ...defaults.schedule, ...schedule }
}
