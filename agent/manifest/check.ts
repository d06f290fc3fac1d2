/**
 * Manifests across files: who owns what, which names are taken, which papers are in order on a day. Everything that is
 * wrong is found in one run; each mistake blocks its own institution, domain or account. Linear in the number of
 * entities. Pure: the same files and the same day give the same estate.
 */
import type { Account, InstitutionEstate, MailDomain, Waiver } from '../model/entity.ts'
import type { DomainName } from '../model/name.ts'
import type { CheckedEstate } from '../model/world.ts'
import { checkLists } from './accounts.ts'
import { checkAgent } from './agent-document.ts'
import { type Checking, createChecking } from './checking.ts'
import { type CheckedDomain, checkCriticalNames, checkDomain, nameOfDomain } from './domain.ts'
import { type ParsedFile, parseManifestFile, type Sheet, spotOf } from './file.ts'
import { compare, createFindings } from './findings.ts'
import { type CheckedInstitution, checkInstitution, checkReachable } from './institution.ts'
import type { Kind } from './shape.ts'
import type { CheckContext, SourceFile } from './types.ts'
import { checkWaiver } from './waiver.ts'

export function checkEstate(files: readonly SourceFile[], context: CheckContext): CheckedEstate {
  return checkFiles(files.map(parseManifestFile), context)
}

/** As `checkEstate`, for files that are parsed already. */
export function checkFiles(files: readonly ParsedFile[], context: CheckContext): CheckedEstate {
  const findings = createFindings()
  const checking = createChecking(context, findings)
  const ordered = files.toSorted((a, b) => compare(a.path, b.path))
  for (const file of ordered) {
    for (const diagnostic of file.diagnostics) findings.add(diagnostic)
    if (file.unreadable) findings.unreadable(file.path)
  }
  const sheets = sortByKind(ordered.flatMap(file => file.sheets))
  for (const sheet of sheets.Agent) checkAgent(findings, sheet, sheet.file)
  const institutions = checkInstitutions(checking, sheets.Institution)
  const domains = checkDomains(checking, sheets.MailDomain, institutions)
  const accounts = checkLists(checking, sheets.AccountList, institutions, domains)
  const domainsOf = groupBy([...domains.values()], domain => domain.institution ?? '')
  for (const institution of institutions.values()) {
    checkReachable(checking, institution, domainsOf.get(institution.name)?.map(({ name }) => name) ?? [])
  }
  const accountsOf = groupBy(accounts, account => account.domain)
  for (const domain of domains.values())
    checkCriticalNames(checking, domain, new Set(accountsOf.get(domain.name)?.map(({ address }) => address)))
  const known = new Set<string>([...institutions.keys(), ...domains.keys(), ...accounts.map(({ address }) => address)])
  const waivers = checkWaivers(checking, sheets.Waiver, name => known.has(name))
  return {
    estates: buildEstates(institutions, domains, accounts),
    waivers,
    blocked: findings.blocked(),
    unreadable: [...findings.unreadableFiles].toSorted(compare),
    diagnostics: findings.diagnostics(),
  }
}

type Sheets = { readonly [K in Kind]: Sheet<K>[] }

function sortByKind(all: readonly Sheet[]): Sheets {
  const sheets: Sheets = { Institution: [], MailDomain: [], AccountList: [], Waiver: [], Agent: [] }
  for (const sheet of all) (sheets[sheet.kind] as Sheet[]).push(sheet)
  return sheets
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(key(item))
    if (group === undefined) groups.set(key(item), [item])
    else group.push(item)
  }
  return groups
}

/** Reports every later document of a name that another one has; returns the names that are claimed twice. */
function findTwins<T extends Sheet>(
  sheets: readonly T[],
  nameOf: (sheet: T) => string | undefined,
  report: (sheet: T, first: T, name: string) => void,
): ReadonlySet<string> {
  const seen = new Map<string, T>()
  const twins = new Set<string>()
  for (const sheet of sheets) {
    const name = nameOf(sheet)
    if (name === undefined) continue
    const first = seen.get(name)
    if (first === undefined) seen.set(name, sheet)
    else {
      twins.add(name)
      report(sheet, first, name)
    }
  }
  return twins
}

const metadataName = ['metadata', 'name']

function reportTwin(checking: Checking, kind: string, subject?: (name: string) => string) {
  return (sheet: Sheet, first: Sheet, name: string) => {
    const related = [{ spot: spotOf(first, metadataName), label: 'first' }]
    const about = subject === undefined ? {} : { subject: subject(name) }
    checking.findings.error('E-DUPLICATE-NAME', sheet, metadataName, { kind, name }, { related, ...about })
  }
}

function checkInstitutions(
  checking: Checking,
  sheets: readonly Sheet<'Institution'>[],
): Map<string, CheckedInstitution> {
  const report = reportTwin(checking, 'Institution', name => `institution:${name}`)
  const twins = findTwins(sheets, sheet => sheet.name, report)
  const institutions = new Map<string, CheckedInstitution>()
  for (const sheet of sheets) {
    const checked = checkInstitution(checking, sheet)
    // Of two that say different things neither is believed.
    const entity = twins.has(sheet.name) ? undefined : checked.entity
    if (!institutions.has(sheet.name)) institutions.set(sheet.name, { ...checked, entity })
  }
  return institutions
}

function checkDomains(
  checking: Checking,
  sheets: readonly Sheet<'MailDomain'>[],
  institutions: ReadonlyMap<string, CheckedInstitution>,
): Map<DomainName, CheckedDomain> {
  const names = new Map(sheets.map(sheet => [sheet, nameOfDomain(checking, sheet)]))
  const twins = findTwins(
    sheets,
    sheet => names.get(sheet),
    (sheet, first, name) => {
      const related = [{ spot: spotOf(first, metadataName), label: 'first' }]
      const values = { reason: 'owner.twice', field: 'metadata.name', domain: name }
      checking.findings.error('E-DOMAIN-OWNER', sheet, metadataName, values, { related, subject: `domain:${name}` })
    },
  )
  const domains = new Map<DomainName, CheckedDomain>()
  for (const sheet of sheets) {
    const name = names.get(sheet)
    if (name === undefined) continue
    const checked = checkDomain(checking, sheet, name, institutions)
    if (!domains.has(name)) domains.set(name, twins.has(name) ? { ...checked, entity: undefined } : checked)
  }
  return domains
}

function checkWaivers(
  checking: Checking,
  sheets: readonly Sheet<'Waiver'>[],
  isKnown: (subject: string) => boolean,
): readonly Waiver[] {
  const twins = findTwins(sheets, sheet => sheet.name, reportTwin(checking, 'Waiver'))
  return sheets.flatMap(sheet => {
    const waiver = checkWaiver(checking, sheet, isKnown)
    return waiver === undefined || twins.has(sheet.name) ? [] : [waiver]
  })
}

function buildEstates(
  institutions: ReadonlyMap<string, CheckedInstitution>,
  domains: ReadonlyMap<DomainName, CheckedDomain>,
  accounts: readonly Account[],
): ReadonlyMap<string, InstitutionEstate> {
  const domainsOf = groupBy(
    [...domains.values()].flatMap(({ entity }): MailDomain[] => (entity === undefined ? [] : [entity])),
    ({ institution }) => institution,
  )
  const accountsOf = groupBy(accounts, ({ institution }) => institution)
  const estates = new Map<string, InstitutionEstate>()
  for (const { name, entity } of institutions.values()) {
    if (entity === undefined) continue
    estates.set(name, {
      institution: entity,
      domains: domainsOf.get(name) ?? [],
      accounts: accountsOf.get(name) ?? [],
    })
  }
  return estates
}
