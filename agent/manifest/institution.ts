/**
 * Institutions: papers, people, networks and servers of one of them, checked and resolved (S2, S7 to S9, S20, S26, S29,
 * S30, S38). Pure. Whatever is wrong here blocks `institution:<name>` and nothing else.
 */

import type { Institution, InstitutionServer } from '../model/entity.ts'
import { domainOf, isAtOrBelow, parseAddress, parseDomainName } from '../model/name.ts'
import { type Checking, resolvePath } from './checking.ts'
import { placeAt, type Sheet, spotOf } from './file.ts'
import { parseNetwork } from './network.ts'
import { checkPapers, type Representative } from './papers.ts'
import { parseRoster, type Roster } from './roster.ts'
import type { InstitutionSpec } from './schema.ts'
import type { Path } from './tree.ts'

export type CheckedInstitution = {
  readonly name: string
  readonly sheet: Sheet<'Institution'>
  /** undefined when its shape is broken; then nothing that rests on its fields is judged either. */
  readonly entity: Institution | undefined
  /** In order of `from`. */
  readonly representatives: readonly Representative[]
  /** undefined: nothing to check membership against. */
  readonly roster: Roster | undefined
}

const labelForm = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/

export function checkInstitution(checking: Checking, sheet: Sheet<'Institution'>): CheckedInstitution {
  const { name } = sheet
  const { findings } = checking
  const subject = `institution:${name}`
  if (!labelForm.test(name)) {
    findings.error('E-NAME', sheet, ['metadata', 'name'], { found: name, reason: 'name.label' }, { subject })
  }
  for (const finding of sheet.findings) findings.shape(sheet, finding, subject)
  if (!sheet.sound || sheet.findings.length > 0) {
    return { name, sheet, entity: undefined, representatives: [], roster: undefined }
  }
  const spec = (sheet.value as { spec: InstitutionSpec }).spec
  checkAddresses(checking, sheet, spec, subject)
  const { representatives, current } = checkPapers(checking, sheet, spec, subject)
  const networks = checkNetworks(checking, sheet, ['spec', 'networks'], spec.networks ?? [], subject)
  if ((spec.networks ?? []).length === 0) {
    findings.warning('W-NO-NETWORKS', sheet, ['metadata', 'name'], {}, { subject })
  }
  const entity: Institution = {
    name,
    title: spec.title,
    province: spec.province,
    language: spec.language ?? 'es',
    director: toPerson(spec.director),
    representative: current === undefined ? null : { ...toPerson(current), id: current.id },
    networks,
    servers: checkServers(checking, sheet, spec, subject),
    contractUntil: contractUntil(checking, spec),
    place: placeAt(sheet, ['metadata', 'name']),
  }
  return { name, sheet, entity, representatives, roster: readRoster(checking, sheet, spec, subject) }
}

type Contact = { readonly name: string; readonly email?: string; readonly phone?: string }

function toPerson({ name, email, phone }: Contact): Institution['director'] {
  return { name, email: email ?? null, phone: phone ?? null }
}

function contractUntil(checking: Checking, { contract }: InstitutionSpec): number | null {
  if (contract === undefined) return null
  const instant = checking.until(contract.validUntil)
  return Number.isFinite(instant) ? instant : null
}

function checkAddresses(checking: Checking, sheet: Sheet, spec: InstitutionSpec, subject: string): void {
  const all: readonly (readonly [Path, string | undefined])[] = [
    [['spec', 'director', 'email'], spec.director.email],
    ...(spec.representatives ?? []).map(
      ({ email }, index) => [['spec', 'representatives', index, 'email'], email] as const,
    ),
  ]
  for (const [path, email] of all) {
    if (email !== undefined && parseAddress(email) === undefined) {
      checking.findings.error('E-ADDRESS', sheet, path, { found: email }, { subject })
    }
  }
}

/** CIDR in canonical form, each once; what is none is a finding. */
function checkNetworks(
  checking: Checking,
  sheet: Sheet,
  path: Path,
  texts: readonly string[],
  subject: string,
): readonly string[] {
  const networks = new Set<string>()
  for (const [index, text] of texts.entries()) {
    const parsed = parseNetwork(text)
    if ('network' in parsed) networks.add(parsed.network)
    else {
      const { problem, suggestion } = parsed
      const values = { found: text, reason: `network.${problem}` }
      checking.findings.error('E-NETWORK', sheet, [...path, index], values, { subject, suggestion })
    }
  }
  return [...networks]
}

function checkServers(
  checking: Checking,
  sheet: Sheet,
  spec: InstitutionSpec,
  subject: string,
): readonly InstitutionServer[] {
  return (spec.servers ?? []).flatMap((server, index) => {
    const path = ['spec', 'servers', index] as const
    const host = parseDomainName(server.host)
    if (host === undefined) {
      const values = { found: server.host, reason: 'name.host' }
      checking.findings.error('E-NAME', sheet, [...path, 'host'], values, { subject })
      return []
    }
    const networks = checkNetworks(checking, sheet, [...path, 'addresses'], server.addresses, subject)
    return [{ host, networks, roles: [...new Set(server.role)] }]
  })
}

function readRoster(checking: Checking, sheet: Sheet, spec: InstitutionSpec, subject: string): Roster | undefined {
  const { findings, context } = checking
  const path = ['spec', 'roster']
  if (spec.roster === undefined) {
    findings.warning('W-NO-ROSTER', sheet, ['metadata', 'name'], {}, { subject })
    return undefined
  }
  const file = resolvePath(sheet.file, spec.roster)
  if (file === undefined) {
    findings.error('E-PATH', sheet, path, { found: spec.roster }, { subject })
    return undefined
  }
  const text = context.attachment(file)
  if (text === undefined) {
    findings.warning('W-ROSTER', sheet, path, { file }, { subject })
    return undefined
  }
  const { roster, problems } = parseRoster(text)
  for (const { line, reason, found } of problems) {
    const related = [{ place: spotOf(sheet, path).place, label: 'named' }]
    const place = { file, line, column: 1 }
    findings.add({ severity: 'error', code: 'E-ROSTER', values: { file, reason, found }, place, subject, related })
  }
  // A list that cannot be read whole says of nobody that they are not on it.
  return problems.length === 0 ? roster : undefined
}

/** C-COM-02: who is told of a suspension must be reachable while the domain is suspended. */
export function checkReachable(checking: Checking, institution: CheckedInstitution, domains: readonly string[]): void {
  const { sheet, entity } = institution
  if (entity === undefined) return
  const subject = `institution:${entity.name}`
  const inside = (email: string) => {
    const address = parseAddress(email)
    return address !== undefined && domains.some(domain => isAtOrBelow(domainOf(address), domain))
  }
  const { director, representative } = entity
  if (director.email === null || inside(director.email)) {
    const values = { found: director.email ?? '', reason: director.email === null ? 'contact.none' : 'contact.inside' }
    checking.findings.warning('W-DIRECTOR-ADDRESS', sheet, ['spec', 'director', 'email'], values, { subject })
  }
  if (representative !== null && (representative.email === null || inside(representative.email))) {
    const path = institution.representatives.findLast(({ id }) => id === representative.id)?.path ?? ['spec']
    const email = representative.email
    const values = { found: email ?? '', reason: email === null ? 'contact.none' : 'contact.inside' }
    checking.findings.warning('W-REPRESENTATIVE-ADDRESS', sheet, [...path, 'email'], values, { subject })
  }
}
