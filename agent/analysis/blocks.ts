/**
 * The other side of a mail, cut into finitely many blocks: as seen by accounts of one institution with given exceptions,
 * all addresses of a block fare alike in both fleets, since the decision knows nothing to tell them apart by (ADR 20).
 * Cuts are made at every name that either configuration mentions, at domains that are managed differently in the two
 * fleets, and at the subjects of those accounts' own exceptions. Pure.
 */
import { isAtOrBelow } from '../model/name.ts'
import type { Fleet } from './fleet.ts'
import { type AddressSet, everywhere, formatAddress, intersect, without } from './intervals.ts'
import { regionsOf } from './regions.ts'

export type Block =
  /** One address. */
  | { readonly kind: 'address'; readonly name: string }
  /** A domain alone, or all below it; not what a nearer name of `except` takes, nor domains managed alike in both fleets. */
  | { readonly kind: 'domain' | 'below'; readonly name: string; readonly except: readonly string[] }
  | { readonly kind: 'elsewhere'; readonly except: readonly string[] }
  /**
   * Domains that both fleets manage alike: of the account's own institution, of a named one, of all others. With
   * `within`, only those at or below it.
   */
  | {
      readonly kind: 'own' | 'institution' | 'others'
      readonly name: string
      readonly within: string | null
      readonly except: readonly string[]
    }
  /** An address literal whose address is national in one fleet, in both or in none. */
  | { readonly kind: 'literal'; readonly before: boolean; readonly after: boolean }
  /** A local part alone; no sender at all; what cannot be read as an address. */
  | { readonly kind: 'bare' | 'null' | 'odd' }

export type PlacedBlock = {
  readonly block: Block
  readonly example: string
  /** Of blocks of managed domains: those domains. */
  readonly domains?: Iterable<string>
}

export type Landscape = {
  readonly before: Fleet
  readonly after: Fleet
  /** A label that neither fleet has in any name or address. */
  readonly nobody: string
  /** Managed by one fleet alone, or not alike. */
  readonly unstable: ReadonlySet<string>
  readonly stable: ReadonlySet<string>
  /** In service, by institution. */
  readonly ofInstitution: ReadonlyMap<string, readonly string[]>
  /** Stable ones at or below a name. */
  readonly below: ReadonlyMap<string, readonly string[]>
  /** Every domain that either manages. */
  readonly domains: readonly string[]
  readonly names: readonly string[]
  readonly elsewhere: string
}

export function surveyLandscape(before: Fleet, after: Fleet, nobody: string): Landscape {
  const unstable = new Set<string>()
  const stable = new Set<string>()
  const ofInstitution = new Map<string, string[]>()
  const below = new Map<string, string[]>()
  const [one, other] = [before.snapshot, after.snapshot]
  const domains = [...new Set([...one.domains.keys(), ...other.domains.keys()])].sort()
  for (const name of domains) {
    const [a, b] = [one.domains.get(name), other.domains.get(name)]
    if (a === undefined || a.institution.name !== b?.institution.name || a.standing !== b.standing) {
      unstable.add(name)
      continue
    }
    stable.add(name)
    for (let from = 0; from >= 0; from = name.indexOf('.', from + 1)) {
      const suffix = from === 0 ? name : name.slice(from + 1)
      const known = below.get(suffix)
      if (known === undefined) below.set(suffix, [name])
      else known.push(name)
    }
    if (a.standing !== 'live') continue
    const own = ofInstitution.get(a.institution.name)
    if (own === undefined) ofInstitution.set(a.institution.name, [name])
    else own.push(name)
  }
  const national = [one.national, other.national].flatMap(({ suffixes, domains: names }) => [...suffixes, ...names])
  const names = [...new Set([...national, ...unstable])].sort()
  return {
    before,
    after,
    nobody,
    unstable,
    stable,
    ofInstitution,
    below,
    domains,
    names,
    elsewhere: outsideOf(names),
  }
}

/** A domain at or below none of them. */
function outsideOf(names: readonly string[]): string {
  for (let at = 0; ; at += 1) {
    const name = at === 0 ? 'elsewhere.test' : `elsewhere.test${at}`
    if (!names.some(known => isAtOrBelow(name, known) || isAtOrBelow(known, name))) return name
  }
}

/** @param institutions of the account that looks, in the one fleet and in the other; null where it has none. */
export function partition(
  land: Landscape,
  institutions: readonly [string | null, string | null],
  targets: readonly string[],
): PlacedBlock[] {
  const { nobody, stable, before, after } = land
  const addresses = targets.filter(target => target.includes('@'))
  const subtrees = targets.filter(target => !target.includes('@'))
  const names = subtrees.length === 0 ? land.names : [...new Set([...land.names, ...subtrees])].sort()
  const blocks: PlacedBlock[] = addresses.map(name => ({ block: { kind: 'address', name }, example: name }))
  for (const name of names) {
    const except = [...names.filter(other => other !== name && isAtOrBelow(other, name)), ...addresses]
    if (!stable.has(name)) blocks.push({ block: { kind: 'domain', name, except }, example: `${nobody}@${name}` })
    blocks.push({ block: { kind: 'below', name, except }, example: `${nobody}@${nobody}.${name}` })
  }
  const outside = names === land.names ? land.elsewhere : outsideOf(names)
  const except = [...names, ...addresses]
  blocks.push({ block: { kind: 'elsewhere', except }, example: `${nobody}@${outside}` })
  blocks.push(...managedBlocks(land, institutions, subtrees, addresses))
  blocks.push(...literalBlocks(before, after, nobody))
  blocks.push({ block: { kind: 'bare' }, example: nobody })
  blocks.push({ block: { kind: 'null' }, example: '' })
  blocks.push({ block: { kind: 'odd' }, example: `"${nobody} ${nobody}"@${outside}` })
  return blocks
}

function managedBlocks(
  { ofInstitution, below, stable, nobody, before }: Landscape,
  [one, other]: readonly [string | null, string | null],
  subtrees: readonly string[],
  addresses: readonly string[],
): PlacedBlock[] {
  const mine = new Set([one, other].filter(name => name !== null))
  const owner = (domain: string) => {
    const row = before.snapshot.domains.get(domain)!
    // Out of service, a domain is nobody's own.
    return row.standing === 'live' ? row.institution.name : null
  }
  const deepest = (domain: string) =>
    subtrees
      .filter(target => isAtOrBelow(domain, target))
      .reduce<string | null>((found, target) => (found !== null && found.length > target.length ? found : target), null)
  const except = [...subtrees, ...addresses]
  const blocks: PlacedBlock[] = []
  for (const within of [null, ...subtrees]) {
    const add = (block: Block, all: Iterable<string>, isMember: (domain: string) => boolean) => {
      const domains = lazily(all, domain => isMember(domain) && deepest(domain) === within)
      const [first] = domains
      if (first !== undefined) blocks.push({ block, example: `${nobody}@${first}`, domains })
    }
    for (const name of mine) {
      const kind = one === other ? 'own' : 'institution'
      add({ kind, name: kind === 'own' ? '' : name, within, except }, ofInstitution.get(name) ?? [], () => true)
    }
    const isOthers = (domain: string) => {
      const institution = owner(domain)
      return institution === null || !mine.has(institution)
    }
    add(
      { kind: 'others', name: [...mine].join(' '), within, except },
      within === null ? stable : (below.get(within) ?? []),
      isOthers,
    )
  }
  // Who has no institution of their own sees others alone, whichever they are.
  return blocks.map(placed =>
    placed.block.kind === 'others' && one === other ? { ...placed, block: { ...placed.block, name: '' } } : placed,
  )
}

function lazily(all: Iterable<string>, isMember: (domain: string) => boolean): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      for (const domain of all) if (isMember(domain)) yield domain
    },
  }
}

const literals = new WeakMap<Fleet, Map<Fleet, PlacedBlock[]>>()

function literalBlocks(before: Fleet, after: Fleet, nobody: string): PlacedBlock[] {
  const known = literals.get(before)?.get(after)
  if (known !== undefined) return known
  const [one, other] = [before, after].map(({ snapshot }) => regionsOf(snapshot).national)
  const blocks: PlacedBlock[] = []
  for (const [isOne, isOther] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ] as const) {
    const [first] = withAll(everywhere, [
      [one!, isOne],
      [other!, isOther],
    ])
    if (first === undefined) continue
    const address = formatAddress(first[0])
    const example = `${nobody}@[${address.includes(':') ? 'IPv6:' : ''}${address}]`
    blocks.push({ block: { kind: 'literal', before: isOne, after: isOther }, example })
  }
  literals.set(before, new Map([[after, blocks]]))
  return blocks
}

/** What is inside the sets that are wanted, and outside the others. */
export function withAll(from: AddressSet, wanted: readonly (readonly [AddressSet, boolean])[]): AddressSet {
  return wanted.reduce((left, [set, isIn]) => (isIn ? intersect(left, set) : without(left, set)), from)
}
