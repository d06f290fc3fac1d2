/**
 * Mail domains: owner, delivery, administrator and collector, limits, defaults and records of one of them, checked and
 * resolved (S1, S18, S26). Pure. Whatever is wrong here blocks `domain:<name>` and nothing else.
 */
import type { Access, MailDomain, Scope } from '../model/entity.ts'
import { type Address, type DomainName, parseDomainName, parseLocalpart, toAddress } from '../model/name.ts'
import { type Checking, parseSize } from './checking.ts'
import { placeAt, type Sheet } from './file.ts'
import type { CheckedInstitution } from './institution.ts'
import { checkRecords } from './records.ts'
import type { MailDomainSpec } from './schema.ts'
import { suggest } from './suggest.ts'
import { childOf, type Path } from './tree.ts'

export type CheckedDomain = {
  readonly name: DomainName
  readonly sheet: Sheet<'MailDomain'>
  /** undefined when its shape is broken or its owner is not known. */
  readonly entity: MailDomain | undefined
  /** Also of a broken one, where it can be read. */
  readonly institution: string | undefined
  readonly defaults: { readonly send: Scope; readonly receive: Scope; readonly access: Access }
}

const defaultDefaults = { send: 'national', receive: 'international', access: 'institution' } as const
const ttlDefault = 3600 // seconds

/** Answered by the administrator for every domain (RFC 2142), so that no account may have them. */
export const reservedLocalparts = ['postmaster', 'abuse'] as const

/** The canonical name of a domain document; a finding when it is none. */
export function nameOfDomain(checking: Checking, sheet: Sheet<'MailDomain'>): DomainName | undefined {
  const name = parseDomainName(sheet.name)
  if (name?.includes('.')) return name
  const values = { found: sheet.name, reason: 'name.domain' }
  checking.findings.error('E-NAME', sheet, ['metadata', 'name'], values)
  checking.findings.unreadable(sheet.file)
  return undefined
}

export function checkDomain(
  checking: Checking,
  sheet: Sheet<'MailDomain'>,
  name: DomainName,
  institutions: ReadonlyMap<string, CheckedInstitution>,
): CheckedDomain {
  const subject = `domain:${name}`
  for (const finding of sheet.findings) checking.findings.shape(sheet, finding, subject)
  const institution = textAt(sheet, ['spec', 'institution'])
  const broken = { name, sheet, entity: undefined, institution, defaults: defaultDefaults }
  if (!sheet.sound || sheet.findings.length > 0) return broken
  const spec = (sheet.value as { spec: MailDomainSpec }).spec
  const defaults = { ...defaultDefaults, ...spec.defaults }
  const owned = institutions.has(spec.institution)
  if (!owned) {
    checking.findings.error(
      'E-INSTITUTION-UNKNOWN',
      sheet,
      ['spec', 'institution'],
      { institution: spec.institution },
      { subject, suggestion: suggest(spec.institution, institutions.keys()) },
    )
  }
  const logins = checkLogins(checking, sheet, name, spec)
  const storageBytes = parseSize(spec.limits.storage)
  if (storageBytes === undefined) {
    checking.findings.error('E-SIZE', sheet, ['spec', 'limits', 'storage'], { found: spec.limits.storage }, { subject })
  }
  const critical = checkCritical(checking, sheet, name, spec.whenSuspended?.critical ?? [])
  const extra = checkRecords(checking, sheet, name, spec.dns?.extra ?? [])
  if (!owned || logins === undefined || storageBytes === undefined) return { ...broken, defaults }
  checkServersFor(checking, sheet, spec, institutions.get(spec.institution), subject)
  const entity: MailDomain = {
    name,
    institution: spec.institution,
    delivery: spec.delivery,
    administrator: logins.administrator,
    collector: logins.collector,
    accountsMax: spec.limits.accounts,
    storageBytes,
    inboundWhenSuspended: spec.whenSuspended?.inbound ?? 'defer',
    ...(critical.length > 0 && { critical }),
    ttl: spec.dns?.ttl ?? ttlDefault,
    extra,
    place: placeAt(sheet, ['metadata', 'name']),
  }
  return { name, sheet, entity, institution, defaults }
}

function checkCritical(checking: Checking, sheet: Sheet, domain: DomainName, names: readonly string[]): Address[] {
  return names.flatMap((text, index) => {
    const localpart = parseLocalpart(text)
    if (localpart !== undefined) return [toAddress(localpart, domain)]
    const values = { found: text, reason: 'name.localpart' }
    const about = { subject: `domain:${domain}`, suggestion: lowered(text) }
    checking.findings.error('E-NAME', sheet, ['spec', 'whenSuspended', 'critical', index], values, about)
    return []
  })
}

/** Names of mailboxes that stand nowhere help nobody at three in the morning. */
export function checkCriticalNames(
  checking: Checking,
  { entity, sheet, name }: CheckedDomain,
  accounts: ReadonlySet<Address>,
): void {
  for (const [index, address] of (entity?.critical ?? []).entries()) {
    if (accounts.has(address) || address === entity?.administrator || address === entity?.collector) continue
    const path = ['spec', 'whenSuspended', 'critical', index]
    const suggestion = suggest(address, accounts)
    checking.findings.warning('W-CRITICAL', sheet, path, { address }, { subject: `domain:${name}`, suggestion })
  }
}

type Logins = { readonly administrator: Address; readonly collector: Address | null }

function checkLogins(checking: Checking, sheet: Sheet, domain: DomainName, spec: MailDomainSpec): Logins | undefined {
  const { findings } = checking
  const subject = `domain:${domain}`
  const parse = (key: 'administrator' | 'collector', text: string): Address | undefined => {
    const localpart = parseLocalpart(text)
    if (localpart !== undefined) return toAddress(localpart, domain)
    const values = { found: text, reason: 'name.localpart' }
    findings.error('E-NAME', sheet, ['spec', key, 'login'], values, { subject, suggestion: lowered(text) })
    return undefined
  }
  const administrator = parse('administrator', spec.administrator.login)
  const collector = spec.collector === undefined ? null : parse('collector', spec.collector.login)
  if (spec.delivery === 'multipop' && collector === null) {
    findings.error('E-COLLECTOR', sheet, ['spec', 'delivery'], { reason: 'collector.missing' }, { subject })
  }
  if (spec.delivery !== 'multipop' && collector !== null) {
    const values = { reason: 'collector.needless' }
    findings.error('E-COLLECTOR', sheet, ['spec', 'collector'], values, { subject })
  }
  if (administrator === undefined || collector === undefined) return undefined
  const isRole = reservedLocalparts.some(role => collector === toAddress(role, domain))
  if (isRole || collector === administrator) {
    const values = { name: collector ?? '', reason: isRole ? 'reserved.role' : 'reserved.administrator' }
    findings.error('E-NAME-RESERVED', sheet, ['spec', 'collector', 'login'], values, { subject })
  }
  return { administrator, collector }
}

/** The same text in the form that would pass, where letter case and accents are all that is wrong. */
export function lowered(text: string): string | undefined {
  return parseLocalpart(text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().trim().replaceAll(' ', '.'))
}

function checkServersFor(
  checking: Checking,
  sheet: Sheet,
  spec: MailDomainSpec,
  institution: CheckedInstitution | undefined,
  subject: string,
): void {
  const servers = institution?.entity?.servers
  if (servers === undefined || spec.delivery === 'mailboxes') return
  const role = spec.delivery === 'multipop' ? 'collect' : 'relay'
  if (servers.some(({ roles }) => roles.includes(role))) return
  checking.findings.warning('W-NO-SERVER', sheet, ['spec', 'delivery'], { delivery: spec.delivery, role }, { subject })
}

/** A text in a document whose shape may be broken. */
export function textAt(sheet: Sheet, path: Path): string | undefined {
  if (sheet.root === null) {
    const found = path.reduce<unknown>(
      (value, step) => (value as Record<string, unknown> | undefined)?.[step],
      sheet.value,
    )
    return typeof found === 'string' ? found : undefined
  }
  let node: ReturnType<typeof childOf> = sheet.root
  for (const step of path) node = childOf(node, step)
  if (node?.kind !== 'scalar') return undefined
  return node.plain ?? (typeof node.value === 'string' ? node.value : undefined)
}
