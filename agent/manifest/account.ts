/**
 * Accounts: names, holder, request, scopes, access, exceptions of one of them, checked and resolved (S10, S19 to S21,
 * S27, S35, S43, S44). Pure. Whatever is wrong here blocks `account:<address>` and nothing else.
 */
import type { Place } from '../core/diagnostic.ts'
import { type Account, accesses, type Exception, type Scope, scopes } from '../model/entity.ts'
import { type Address, localpartOf, parseAddress, parseDomainName, parseLocalpart, toAddress } from '../model/name.ts'
import { type Checking, checkDay, parseSize } from './checking.ts'
import { type CheckedDomain, lowered } from './domain.ts'
import { placeAt, type Sheet } from './file.ts'
import type { CheckedInstitution } from './institution.ts'
import type { CheckedRequest } from './requests.ts'
import type { AccountSpec } from './schema.ts'
import { suggest } from './suggest.ts'
import type { Path } from './tree.ts'

export type AccountCase = {
  readonly checking: Checking
  readonly sheet: Sheet<'AccountList'>
  readonly path: Path
  readonly spec: AccountSpec
  readonly address: Address
  readonly subject: string
  readonly domain: CheckedDomain
  readonly institution: CheckedInstitution | undefined
  /** Looks a request up, in the list itself and then in the institution's others. */
  readonly request: (number: string) => CheckedRequest | undefined
  readonly requestNumbers: () => Iterable<string>
  readonly order: number
}

const noAgreement = '9999-12-31' // sorts behind every agreement
const noHolder = { name: '', id: '', post: '', purpose: '', category: 'other' } as const

/** The account as it stands, or undefined when something in it cannot be made sense of. */
export function checkAccount(account: AccountCase): Account | undefined {
  const { checking, sheet, path, spec, address, subject, domain } = account
  const withdrawn = spec.state === 'withdrawn'
  const request = spec.request === undefined ? undefined : account.request(spec.request)
  // Closing needs no papers.
  if (!withdrawn) {
    checkHolder(account)
    checkRequestOf(account, request)
    checkScopes(account, request)
    checkAccess(account, request)
  }
  const aliases = resolveAliases(account)
  const exceptions = (spec.except ?? []).map((_, index) => resolveException(account, index))
  const quotaBytes = spec.quota === undefined ? 0 : parseSize(spec.quota)
  if (quotaBytes === undefined) {
    checking.findings.error('E-SIZE', sheet, [...path, 'quota'], { found: spec.quota ?? '' }, { subject })
  }
  if (aliases === undefined || quotaBytes === undefined || exceptions.includes(undefined)) return undefined
  const { category, name, id, post, purpose = '' } = spec.holder ?? noHolder
  return {
    address,
    domain: domain.name,
    institution: domain.institution ?? '',
    state: spec.state ?? 'active',
    holder: { name, id, post, purpose },
    category,
    request: spec.request ?? '',
    agreementDate: request?.spec?.agreement?.date ?? noAgreement,
    order: account.order,
    send: spec.send ?? domain.defaults.send,
    receive: spec.receive ?? domain.defaults.receive,
    access: spec.access ?? domain.defaults.access,
    aliases,
    exceptions: exceptions.filter(exception => exception !== undefined),
    quotaBytes,
    place: placeAt(sheet, path),
    places: settingPlaces(sheet, path, spec),
  }
}

function settingPlaces(sheet: Sheet, path: Path, spec: AccountSpec): Record<string, Place> {
  const places: Record<string, Place> = {}
  for (const key of ['send', 'receive', 'access', 'state'] as const) {
    if (spec[key] !== undefined) places[key] = placeAt(sheet, [...path, key])
  }
  return places
}

function checkHolder({ checking, sheet, path, spec, subject, institution }: AccountCase): void {
  const { findings, today } = checking
  const { holder } = spec
  if (holder === undefined) {
    findings.error('E-PURPOSE', sheet, path, { reason: 'purpose.holder', field: 'holder' }, { subject })
    return
  }
  if (holder.name.trim() === '') {
    const values = { reason: 'purpose.holder', field: 'holder.name' }
    findings.error('E-PURPOSE', sheet, [...path, 'holder', 'name'], values, { subject })
  }
  if ((holder.purpose ?? '').trim() === '') {
    const values = { reason: 'purpose.purpose', field: 'holder.purpose' }
    findings.error('E-PURPOSE', sheet, [...path, 'holder', 'purpose'], values, { subject })
  }
  const roster = institution?.roster
  if (roster === undefined) return
  const until = roster.get(holder.id)
  if (until === null || (until !== undefined && until >= today)) return
  const reason = until === undefined ? 'member.absent' : 'member.left'
  const values = { id: holder.id, name: holder.name, reason, day: until ?? '' }
  // Only near ids of a typing error help here; the roster itself is long.
  findings.error('E-NOT-MEMBER', sheet, [...path, 'holder', 'id'], values, { subject })
}

function checkRequestOf(account: AccountCase, request: CheckedRequest | undefined): void {
  const { checking, sheet, path, spec, subject } = account
  if (spec.request === undefined) {
    const values = { reason: 'request.none', request: '' }
    checking.findings.error('E-ACCOUNT-NO-REQUEST', sheet, path, values, { subject })
    return
  }
  if (request === undefined) {
    const values = { reason: 'request.unknown', request: spec.request }
    const suggestion = suggest(spec.request, account.requestNumbers())
    checking.findings.error('E-ACCOUNT-NO-REQUEST', sheet, [...path, 'request'], values, { subject, suggestion })
    return
  }
  for (const error of request.errors) checking.findings.block(subject, error)
}

/** S43: widening is the director's act. What the request lacks besides has its own finding. */
function checkScopes({ checking, sheet, path, spec, subject, domain }: AccountCase, request?: CheckedRequest): void {
  const byDirector = request?.spec === undefined || request.spec.approvedBy === 'director'
  if (byDirector) return
  for (const key of ['send', 'receive'] as const) {
    const wanted = spec[key]
    if (wanted === undefined || rank(wanted) <= rank(domain.defaults[key])) continue
    const values = { scope: wanted, allowed: domain.defaults[key], direction: key, request: request.number }
    checking.findings.error('E-SCOPE-AUTHORITY', sheet, [...path, key], values, { subject })
  }
}

const rank = (scope: Scope) => scopes.indexOf(scope)

/** S44 and decision D4: nothing from outside the local network without a signed and stamped request. */
function checkAccess({ checking, sheet, path, spec, subject }: AccountCase, request?: CheckedRequest): void {
  if (spec.access === undefined || spec.access === accesses[0]) return
  const at = [...path, 'access']
  if (request?.spec?.signed === true && request.spec.stamped === true) {
    const values = { access: spec.access, request: request.number }
    checking.findings.warning('W-ACCESS-STANDING', sheet, at, values, { subject })
    return
  }
  const values = { reason: 'offLan.access', found: spec.access }
  checking.findings.error('E-OFF-LAN', sheet, at, values, { subject })
}

function resolveAliases({ checking, sheet, path, spec, address, subject, domain }: AccountCase): Address[] | undefined {
  const aliases = new Set<Address>()
  let sound = true
  for (const [index, text] of (spec.aliases ?? []).entries()) {
    const full = text.includes('@') ? parseAddress(text) : undefined
    const inside = full?.endsWith(`@${domain.name}`) ? localpartOf(full) : undefined
    const localpart = parseLocalpart(inside ?? text)
    const at = [...path, 'aliases', index]
    if (full !== undefined && inside === undefined) {
      const values = { reason: 'offLan.alias', found: text }
      checking.findings.error('E-OFF-LAN', sheet, at, values, { subject })
      sound = false
    } else if (localpart === undefined) {
      const values = { found: text, reason: 'name.localpart' }
      checking.findings.error('E-NAME', sheet, at, values, { subject, suggestion: lowered(text) })
      sound = false
    } else if (toAddress(localpart, domain.name) !== address) aliases.add(toAddress(localpart, domain.name))
  }
  return sound ? [...aliases] : undefined
}

function resolveException(account: AccountCase, index: number): Exception | undefined {
  const { checking, sheet, spec, subject } = account
  const { findings } = checking
  const path = [...account.path, 'except', index]
  const exception = spec.except?.[index]
  if (exception === undefined) return undefined
  const kinds = (['send', 'receive', 'access', 'rate'] as const).filter(kind => exception[kind] !== undefined)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1) {
    findings.error('E-EXCEPTION', sheet, path, { found: kinds.join(', ') }, { subject })
    return undefined
  }
  if (!checkDay(checking, sheet, [...path, 'until'], exception.until, subject)) return undefined
  const request = account.request(exception.request)
  if (spec.state !== 'withdrawn') checkExceptionPapers(account, path, kind, request)
  if (exception.until < checking.today) {
    const values = { until: exception.until, request: exception.request }
    findings.warning('W-EXCEPTION-OVER', sheet, [...path, 'until'], values, { subject })
  }
  const base = { request: exception.request, until: checking.until(exception.until), place: placeAt(sheet, path) }
  if (kind === 'access') return { ...base, kind, access: exception.access ?? 'institution' }
  if (kind === 'rate') return exception.rate === undefined ? undefined : { ...base, kind, ...exception.rate }
  const text = exception[kind] ?? ''
  const target = text.includes('@') ? parseAddress(text) : parseDomainName(text)
  if (target !== undefined) return { ...base, kind, target }
  findings.error('E-NAME', sheet, [...path, kind], { found: text, reason: 'name.target' }, { subject })
  return undefined
}

function checkExceptionPapers(
  account: AccountCase,
  path: Path,
  kind: Exception['kind'],
  request: CheckedRequest | undefined,
): void {
  const { checking, sheet, spec, subject } = account
  const exception = spec.except?.[Number(path.at(-1))]
  const number = exception?.request ?? ''
  const at = [...path, 'request']
  if (kind === 'access') {
    if (exception?.access === accesses[0]) return
    if (request?.spec?.signed === true && request.spec.stamped === true) return
    const values = { reason: 'offLan.exception', found: number }
    checking.findings.error('E-OFF-LAN', sheet, at, values, { subject })
  } else if (request === undefined) {
    const values = { reason: 'request.unknown', request: number }
    const suggestion = suggest(number, account.requestNumbers())
    checking.findings.error('E-ACCOUNT-NO-REQUEST', sheet, at, values, { subject, suggestion })
  } else if (request.spec !== undefined && request.spec.approvedBy !== 'director') {
    const isRate = kind === 'rate'
    const values = {
      scope: isRate ? String(exception?.rate?.recipientsPerDay) : (exception?.[kind] ?? ''),
      allowed: isRate ? 'rate' : account.domain.defaults[kind],
      direction: kind,
      request: number,
    }
    checking.findings.error('E-SCOPE-AUTHORITY', sheet, [...path, kind], values, { subject })
  } else {
    for (const error of request.errors) checking.findings.block(subject, error)
  }
}
