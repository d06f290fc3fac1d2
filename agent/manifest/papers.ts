/**
 * The papers of an institution on a day: contract (S7), Supplement 3 (S8), representative (S9), determination of
 * capacity (S29, S30). Pure.
 */
import { type Checking, checkDay, checkDocument } from './checking.ts'
import { type Sheet, spotOf } from './file.ts'
import type { InstitutionSpec } from './schema.ts'
import type { Path } from './tree.ts'

type RepresentativeSpec = NonNullable<InstitutionSpec['representatives']>[number]

export type Representative = { readonly id: string; readonly from: string; readonly path: Path }

export type Papers = {
  readonly representatives: readonly Representative[]
  /** Of today. */
  readonly current: RepresentativeSpec | undefined
}

export function checkPapers(checking: Checking, sheet: Sheet, spec: InstitutionSpec, subject: string): Papers {
  checkContract(checking, sheet, spec, subject)
  checkCapacity(checking, sheet, spec, subject)
  return checkRepresentatives(checking, sheet, spec, subject)
}

function checkContract(checking: Checking, sheet: Sheet, { contract }: InstitutionSpec, subject: string): void {
  const { findings, today } = checking
  const path = ['spec', 'contract']
  if (contract === undefined) {
    findings.error('E-CONTRACT-MISSING', sheet, path, {}, { subject })
    return
  }
  checkDocument(checking, sheet, [...path, 'document'], contract.document, subject)
  const signed = checkDay(checking, sheet, [...path, 'signedOn'], contract.signedOn, subject)
  const valid = checkDay(checking, sheet, [...path, 'validUntil'], contract.validUntil, subject)
  const { number } = contract
  const expired = (key: 'signedOn' | 'validUntil', reason: string) =>
    findings.error(
      'E-CONTRACT-EXPIRED',
      sheet,
      [...path, key],
      { number, reason, day: contract[key], today },
      { subject },
    )
  if (signed && contract.signedOn > today) expired('signedOn', 'contract.notYet')
  else if (valid && contract.validUntil < today) expired('validUntil', 'contract.over')
  else if (signed && valid && contract.validUntil < contract.signedOn) expired('validUntil', 'contract.order')
  checkSupplement(checking, sheet, contract, subject)
}

type Contract = NonNullable<InstitutionSpec['contract']>

function checkSupplement(checking: Checking, sheet: Sheet, contract: Contract, subject: string): void {
  const { findings, today } = checking
  const path = ['spec', 'contract', 'supplements']
  const supplements = contract.supplements ?? []
  let inForce = false
  let later: number | undefined
  for (const [index, { type, signedOn, document }] of supplements.entries()) {
    checkDocument(checking, sheet, [...path, index, 'document'], document, subject)
    if (!checkDay(checking, sheet, [...path, index, 'signedOn'], signedOn, subject) || type !== 3) continue
    if (signedOn <= today) inForce = true
    else later = index
  }
  if (inForce) return
  const found = supplements.map(({ type }) => type).join(', ')
  const values = {
    number: contract.number,
    reason: later === undefined ? 'supplement.none' : 'supplement.notYet',
    found,
  }
  findings.error('E-SUPPLEMENT-3', sheet, later === undefined ? path : [...path, later, 'signedOn'], values, {
    subject,
  })
}

function checkCapacity(checking: Checking, sheet: Sheet, { capacity }: InstitutionSpec, subject: string): void {
  const { findings, today } = checking
  const path = ['spec', 'capacity']
  if (capacity === undefined) {
    const values = { reason: 'capacity.none', day: '', today }
    findings.error('E-CAPACITY-UNKNOWN', sheet, path, values, { subject })
    return
  }
  checkDocument(checking, sheet, [...path, 'document'], capacity.document, subject)
  for (const [key, reason, outside] of [
    ['determinedOn', 'capacity.notYet', capacity.determinedOn > today],
    ['validUntil', 'capacity.over', capacity.validUntil < today],
  ] as const) {
    if (!checkDay(checking, sheet, [...path, key], capacity[key], subject) || !outside) continue
    const values = { reason, day: capacity[key], today }
    findings.error('E-CAPACITY-UNKNOWN', sheet, [...path, key], values, { subject })
  }
  for (const level of ['national', 'provincial'] as const) {
    const room = capacity[level]
    if (room === undefined) findings.error('E-CAPACITY-LEVEL', sheet, [...path, level], { level }, { subject })
    else if (room.used < room.capacity) {
      const values = { level, used: String(room.used), capacity: String(room.capacity) }
      findings.error('E-CENTRAL-CAPACITY', sheet, [...path, level, 'used'], values, { subject })
    }
  }
}

function checkRepresentatives(checking: Checking, sheet: Sheet, spec: InstitutionSpec, subject: string): Papers {
  const { findings, today } = checking
  const path = ['spec', 'representatives']
  const all = (spec.representatives ?? []).map((person, index) => ({ person, path: [...path, index] }))
  const dated = all.filter(({ person, path: at }) => checkDay(checking, sheet, [...at, 'from'], person.from, subject))
  dated.sort((a, b) => (a.person.from < b.person.from ? -1 : a.person.from > b.person.from ? 1 : 0))
  const current = dated.findLast(({ person }) => person.from <= today)
  const fail = (
    at: readonly (string | number)[],
    reason: string,
    name: string,
    day: string,
    other?: readonly (string | number)[],
  ) =>
    findings.error(
      'E-REPRESENTATIVE',
      sheet,
      at,
      { reason, name, day },
      other === undefined ? { subject } : { subject, related: [{ spot: spotOf(sheet, other), label: 'other' }] },
    )
  if (current === undefined && dated.length === all.length) fail(path, 'representative.none', '', today)
  for (const [index, { person, path: at }] of dated.entries()) {
    const before = dated[index - 1]
    if (before?.person.from === person.from) {
      fail([...at, 'from'], 'representative.two', person.name, person.from, [...before.path, 'from'])
    }
    const superseded = current !== undefined && person.from < current.person.from
    if (!superseded && isSamePerson(person, spec.director)) {
      fail([...at, 'name'], 'representative.self', person.name, person.from, ['spec', 'director', 'name'])
    }
  }
  return {
    representatives: dated.map(({ person, path: at }) => ({ id: person.id, from: person.from, path: at })),
    current: current?.person,
  }
}

/** Nobody names themselves: the same name, however accented, or the same address. */
function isSamePerson(
  a: { readonly name: string; readonly email?: string },
  b: { readonly name: string; readonly email?: string },
): boolean {
  if (a.email !== undefined && b.email !== undefined && a.email.toLowerCase() === b.email.toLowerCase()) return true
  return foldName(a.name) === foldName(b.name)
}

function foldName(name: string): string {
  return name.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase().replaceAll(/\s+/g, ' ').trim()
}
