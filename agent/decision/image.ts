/**
 * What a snapshot is made of, as plain data: it goes to another thread and to a file as it is, the large part without a
 * copy (`book.ts`). A projection of the world; nothing in it depends on time but holds and exceptions, which carry their
 * own ends. Pure.
 */
import type { Place } from '../core/diagnostic.ts'
import type { CountryTable } from '../model/country.ts'
import type { Exception, Language, MailDomain } from '../model/entity.ts'
import type { Hold, Probation } from '../model/incident.ts'
import type { DomainName } from '../model/name.ts'
import type { SignalSettings } from '../model/signal.ts'
import type { World } from '../model/world.ts'
import { type Book, isSameBook, type Standing } from './book.ts'
import { buildMailboxes, standingOf } from './mailboxes.ts'

export type Mode = 'off' | 'observe' | 'enforce'

export type InstitutionImage = {
  readonly name: string
  readonly language: Language
  readonly networks: readonly string[]
  /** Of its servers with role `collect`, and of those with role `relay`. */
  readonly collectors: readonly string[]
  readonly relays: readonly string[]
}

export type DomainImage = {
  readonly name: DomainName
  /** Its number among the institutions. */
  readonly institution: number
  readonly standing: Standing
  readonly inboundWhenSuspended: MailDomain['inboundWhenSuspended']
  readonly place: Place
}

export type SnapshotImage = {
  readonly language: Language
  readonly timeZone: string
  readonly institutions: readonly InstitutionImage[]
  readonly domains: readonly DomainImage[]
  readonly book: Book
  readonly exceptions: ReadonlyMap<number, readonly Exception[]>
  readonly national: {
    readonly suffixes: readonly string[]
    readonly domains: readonly string[]
    readonly networks: readonly string[]
  }
  /** null where none are configured. */
  readonly country: CountryTable | null
  readonly modes: Readonly<Record<string, Mode>>
  readonly limits: { readonly recipientsPerHour: number; readonly recipientsPerDay: number }
  readonly signals: SignalSettings
  readonly holds: readonly Hold[]
  readonly probations: readonly Probation[]
}

export function buildImage(world: World): SnapshotImage {
  const { config } = world
  const institutions: InstitutionImage[] = []
  const institutionNumbers = new Map<string, number>()
  const enlist = (institution: InstitutionImage) => {
    institutionNumbers.set(institution.name, institutions.length)
    return institutions.push(institution) - 1
  }
  for (const { name, language, networks, servers } of world.institutions.values()) {
    const networksOf = (role: 'collect' | 'relay') =>
      servers.filter(({ roles }) => roles.includes(role)).flatMap(server => server.networks)
    enlist({ name, language, networks, collectors: networksOf('collect'), relays: networksOf('relay') })
  }
  /** A domain whose owner is not known goes on with no network at all: nobody may log in from anywhere. */
  const nobodys = (name: string) =>
    enlist({ name, language: config.operator.language, networks: [], collectors: [], relays: [] })
  const domains: DomainImage[] = []
  const numbers = new Map<string, number>()
  for (const { domain, state } of world.domains.values()) {
    const { name, inboundWhenSuspended, place } = domain
    const institution = institutionNumbers.get(domain.institution) ?? nobodys(domain.institution)
    numbers.set(name, domains.length)
    domains.push({ name, institution, standing: standingOf(state), inboundWhenSuspended, place })
  }
  const { suffixes, domains: nationalDomains, networks } = config.national
  const { recipientsPerHour, recipientsPerDay } = config.limits
  return {
    language: config.operator.language,
    timeZone: config.operator.timeZone,
    institutions,
    domains,
    ...buildMailboxes(world, numbers),
    national: { suffixes, domains: nationalDomains, networks },
    country: world.country,
    modes: config.modes,
    limits: { recipientsPerHour, recipientsPerDay },
    signals: config.signals,
    holds: world.holds,
    probations: world.probations ?? [],
  }
}

/**
 * True when both decide alike, and explain alike: most passes change nothing. Compared byte by byte, which costs a tenth of
 * building one.
 */
export function isSameImage(one: SnapshotImage, other: SnapshotImage): boolean {
  const { book, exceptions, country, ...rest } = one
  const { book: otherBook, exceptions: otherExceptions, country: otherCountry, ...others } = other
  const isSame = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)
  return (
    country === otherCountry &&
    isSameBook(book, otherBook) &&
    isSame([...exceptions], [...otherExceptions]) &&
    isSame(rest, others)
  )
}
