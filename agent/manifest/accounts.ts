/**
 * Lists of accounts, over all files: finds the domain of each list, its requests, and who has which name, then judges
 * each account alone. Pure.
 */
import type { Account } from '../model/entity.ts'
import { type Address, type DomainName, parseDomainName, parseLocalpart, toAddress } from '../model/name.ts'
import { checkAccount } from './account.ts'
import type { Checking } from './checking.ts'
import { type CheckedDomain, lowered, reservedLocalparts, textAt } from './domain.ts'
import { type Sheet, type Spot, spotOf } from './file.ts'
import type { CheckedInstitution } from './institution.ts'
import { type CheckedRequest, checkRequest, createRequestBook, type RequestBook } from './requests.ts'
import type { AccountListSpec, AccountSpec } from './schema.ts'
import type { ShapeFinding } from './shape.ts'
import { suggest } from './suggest.ts'
import type { Path } from './tree.ts'

type ListSheet = Sheet<'AccountList'>

/** A list whose domain is known by name. */
type List = {
  readonly sheet: ListSheet
  readonly domain: DomainName
  readonly checked: CheckedDomain | undefined
  readonly institution: CheckedInstitution | undefined
  readonly requests: Map<string, CheckedRequest>
  readonly book: RequestBook
}

/** An entry of a list that has a name; `spec` is undefined when its shape is broken. */
type Entry = {
  readonly list: List
  readonly path: Path
  readonly address: Address
  readonly spec: AccountSpec | undefined
  readonly order: number
}

export function checkLists(
  checking: Checking,
  sheets: readonly ListSheet[],
  institutions: ReadonlyMap<string, CheckedInstitution>,
  domains: ReadonlyMap<DomainName, CheckedDomain>,
): readonly Account[] {
  reportTwinLists(checking, sheets)
  const books = new Map<string, RequestBook>()
  const lists = sheets.flatMap(sheet => openList(checking, sheet, institutions, domains, books) ?? [])
  // Requests first: an account may rest on one of another list of its institution.
  for (const list of lists) checkRequests(checking, list)
  const entries: Entry[] = []
  // Counted by domain: an account more in one file must not look like a change of every domain after it.
  const counts = new Map<DomainName, number>()
  for (const list of lists) readEntries(checking, list, entries, counts)
  const taken = claimNames(checking, entries, domains)
  return entries.flatMap(entry => {
    const { list, path, spec, address, order } = entry
    if (spec === undefined || list.checked === undefined) return []
    const account = checkAccount({
      checking,
      sheet: list.sheet,
      path,
      spec,
      address,
      subject: `account:${address}`,
      domain: list.checked,
      institution: list.institution,
      request: number => list.requests.get(number) ?? list.book.requests.get(number),
      requestNumbers: () => list.book.requests.keys(),
      order,
    })
    return account === undefined || taken.has(entry) ? [] : [account]
  })
}

function reportTwinLists(checking: Checking, sheets: readonly ListSheet[]): void {
  const seen = new Map<string, ListSheet>()
  for (const sheet of sheets) {
    const first = seen.get(sheet.name)
    if (first === undefined) seen.set(sheet.name, sheet)
    else {
      const path = ['metadata', 'name']
      const related = [{ spot: spotOf(first, path), label: 'first' }]
      checking.findings.error('E-DUPLICATE-NAME', sheet, path, { kind: 'AccountList', name: sheet.name }, { related })
    }
  }
}

function openList(
  checking: Checking,
  sheet: ListSheet,
  institutions: ReadonlyMap<string, CheckedInstitution>,
  domains: ReadonlyMap<DomainName, CheckedDomain>,
  books: Map<string, RequestBook>,
): List | undefined {
  const { findings } = checking
  const text = textAt(sheet, ['spec', 'domain'])
  const domain = text === undefined ? undefined : parseDomainName(text)
  const subject = domain === undefined ? undefined : `domain:${domain}`
  // Findings inside a request or an account block those alone.
  for (const finding of sheet.findings) if (partOf(finding.path) === undefined) findings.shape(sheet, finding, subject)
  if (domain === undefined) {
    if (text !== undefined && sheet.sound && text !== '') {
      findings.error('E-NAME', sheet, ['spec', 'domain'], { found: text, reason: 'name.domain' })
    }
    findings.unreadable(sheet.file)
    return undefined
  }
  const checked = domains.get(domain)
  if (checked === undefined) {
    const suggestion = suggest(domain, domains.keys())
    findings.error(
      'E-DOMAIN-UNKNOWN',
      sheet,
      ['spec', 'domain'],
      { domain },
      { subject: `domain:${domain}`, suggestion },
    )
  }
  const owner = checked?.institution
  const institution = owner === undefined ? undefined : institutions.get(owner)
  const book = books.get(owner ?? '') ?? createRequestBook()
  if (owner !== undefined) books.set(owner, book)
  return { sheet, domain, checked, institution, requests: new Map(), book }
}

/** The request or account that a path leads into. */
function partOf(path: Path): { readonly part: 'requests' | 'accounts'; readonly index: number } | undefined {
  const [spec, part, index] = path
  if (spec !== 'spec' || typeof index !== 'number') return undefined
  return part === 'requests' || part === 'accounts' ? { part, index } : undefined
}

function specOf(sheet: ListSheet): Partial<AccountListSpec> {
  const value = sheet.value as { spec?: unknown } | undefined
  return typeof value?.spec === 'object' && value.spec !== null ? (value.spec as Partial<AccountListSpec>) : {}
}

/** The mistakes of shape inside each request or account, by its index. */
function brokenIn(sheet: ListSheet, part: 'requests' | 'accounts'): ReadonlyMap<number, readonly ShapeFinding[]> {
  const broken = new Map<number, ShapeFinding[]>()
  for (const finding of sheet.findings) {
    const inside = partOf(finding.path)
    if (inside?.part !== part) continue
    const known = broken.get(inside.index)
    if (known === undefined) broken.set(inside.index, [finding])
    else known.push(finding)
  }
  return broken
}

function checkRequests(checking: Checking, list: List): void {
  const { sheet, requests, book } = list
  const { requests: specs } = specOf(sheet)
  if (!Array.isArray(specs)) return
  const broken = brokenIn(sheet, 'requests')
  for (const [index, spec] of specs.entries()) {
    const mistakes = broken.get(index)
    if (mistakes === undefined) {
      const request = checkRequest(checking, sheet, index, spec, list.institution, book)
      if (!requests.has(request.number)) requests.set(request.number, request)
      continue
    }
    const errors = mistakes.map(finding => checking.findings.shape(sheet, finding))
    const path = ['spec', 'requests', index]
    const number = textAt(sheet, [...path, 'number'])
    // Broken as it is, it is there: the accounts that name it are blocked by its errors, not by its absence.
    if (number !== undefined) requests.set(number, { number, sheet, path, spec: undefined, errors })
  }
}

function readEntries(checking: Checking, list: List, entries: Entry[], counts: Map<DomainName, number>): void {
  const { sheet, domain } = list
  const { accounts } = specOf(sheet)
  if (!Array.isArray(accounts)) {
    // Nothing can be told of its accounts, which is not the same as that there are none.
    checking.findings.unreadable(sheet.file)
    return
  }
  const broken = brokenIn(sheet, 'accounts')
  for (const index of accounts.keys()) {
    const path = ['spec', 'accounts', index]
    const text = textAt(sheet, [...path, 'name'])
    const localpart = text === undefined ? undefined : parseLocalpart(text)
    const near = text === undefined ? undefined : lowered(text)
    const address = toAddress(localpart ?? near ?? text ?? `[${index}]`, domain)
    const subject = `account:${address}`
    for (const finding of broken.get(index) ?? []) checking.findings.shape(sheet, finding, subject)
    if (localpart !== undefined) {
      const spec = broken.has(index) ? undefined : accounts[index]
      const order = counts.get(domain) ?? 0
      counts.set(domain, order + 1)
      entries.push({ list, path, address, spec, order })
      continue
    }
    if (text !== undefined && text !== '') {
      const values = { found: text, reason: 'name.localpart' }
      checking.findings.error('E-NAME', sheet, [...path, 'name'], values, { subject, suggestion: near })
    }
    // Which account it is cannot be told, so none of this file may be taken for gone.
    if (near === undefined || text?.toLowerCase() !== near) checking.findings.unreadable(sheet.file)
  }
}

type Claim = { readonly what: 'account' | 'alias' | 'reserved'; readonly spot: () => Spot; readonly entry?: Entry }

/** Gives each address to one owner, reports the others, and returns the entries that cannot stand as they are. */
function claimNames(
  checking: Checking,
  entries: readonly Entry[],
  domains: ReadonlyMap<DomainName, CheckedDomain>,
): ReadonlySet<Entry> {
  const claims = new Map<Address, Claim>()
  const lost = new Set<Entry>()
  for (const domain of domains.values()) claimReserved(domain, claims)
  const claim = (entry: Entry, address: Address, what: 'account' | 'alias', path: Path) => {
    const first = claims.get(address)
    if (first === undefined) {
      claims.set(address, { what, spot: () => spotOf(entry.list.sheet, path), entry })
      return
    }
    if (first.entry === entry) return
    lost.add(entry)
    // Two entries of one account contradict each other: neither is believed.
    if (what === 'account' && first.what === 'account' && first.entry !== undefined) lost.add(first.entry)
    const code = first.what === 'reserved' ? 'E-NAME-RESERVED' : 'E-DUPLICATE-ACCOUNT'
    const values = { name: address, reason: first.what === 'reserved' ? 'reserved.taken' : `taken.${first.what}` }
    const related = [{ spot: first.spot(), label: 'first' }]
    checking.findings.error(code, entry.list.sheet, path, values, { subject: `account:${entry.address}`, related })
  }
  // Names before aliases, so that an alias never takes an account's name, wherever they stand.
  for (const entry of entries) claim(entry, entry.address, 'account', [...entry.path, 'name'])
  for (const entry of entries) {
    for (const [index, alias] of (entry.spec?.aliases ?? []).entries()) {
      const localpart = parseLocalpart(alias.toLowerCase().replace(`@${entry.list.domain}`, ''))
      if (localpart === undefined) continue
      claim(entry, toAddress(localpart, entry.list.domain), 'alias', [...entry.path, 'aliases', index])
    }
  }
  return lost
}

function claimReserved({ name, sheet, entity }: CheckedDomain, claims: Map<Address, Claim>): void {
  const claim = (address: Address | null | undefined, path: Path) => {
    if (address === null || address === undefined || claims.has(address)) return
    claims.set(address, { what: 'reserved', spot: () => spotOf(sheet, path) })
  }
  claim(entity?.administrator, ['spec', 'administrator', 'login'])
  claim(entity?.collector, ['spec', 'collector', 'login'])
  for (const localpart of reservedLocalparts) claim(toAddress(localpart, name), ['spec', 'administrator'])
}
