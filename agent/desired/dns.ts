/**
 * The zone of every provisioned domain, in layers: what mail needs first, then the institution's own records, then the
 * defence of names that take no mail. A hold never changes it: without MX mail is lost, and a name left alone is taken
 * over by others. A withdrawn domain keeps its zone until its manifest goes. Pure.
 *
 * A record that is derived here gives way to nothing. That an `extra` meets one is a finding of the manifests' checks;
 * if it comes this far all the same, it is left out.
 */
import type { Place } from '../core/diagnostic.ts'
import type { ExtraRecord, MailDomain } from '../model/entity.ts'
import { type DomainName, domainOf } from '../model/name.ts'
import type { RecordType, RRsetResource, ZoneResource } from '../model/resource.ts'
import { type AgentConfig, type DkimKey, isProvisioned, type World } from '../model/world.ts'
import { formatDkim } from '../standards/dkim.ts'
import { dmarc, formatDmarc, reportUri } from '../standards/dmarc.ts'
import { canonicalValues, mailboxName } from '../standards/dns-text.ts'
import { formatMtaSts, type MtaStsPolicy, mtaStsId } from '../standards/mta-sts.ts'
import { directive, formatSpf } from '../standards/spf.ts'
import { formatTlsRpt } from '../standards/tls-rpt.ts'

export type DesiredDns = { readonly resource: ZoneResource | RRsetResource; readonly source: Place | null }

/** Seconds; RIPE-203 for zones that change seldom. The last one bounds how long "no such name" is remembered (RFC 2308). */
const soaTimes = { refresh: 10_800, retry: 3_600, expire: 604_800, minimum: 3_600 } as const
const weekSeconds = 604_800

const ownerLengthMax = 253 // RFC 1035 section 2.3.4: 255 octets on the wire

/** RFC 7505: the name takes no mail. */
const nullMx = '0 .'
/** RFC 6186 section 3.4: the service is not offered. */
const noService = '0 0 0 .'
/** RFC 7208 section 10.1.2: the name sends no mail. */
const noSender = formatSpf({ terms: [directive({ name: 'all' }, '-')] })

/** What the domain's senders and receivers are told of its TLS; served at `config.mail.web`. */
export function desiredMtaSts(config: AgentConfig): MtaStsPolicy {
  // Testing, since whether the exchangers' certificates hold can't be known here; enforced, a wrong one stops mail.
  return { mode: 'testing', mx: config.mail.mx.map(({ host }) => host), maxAge: weekSeconds }
}

/** An RRset before it has a key: its owner absolute. */
type Layered = {
  readonly owner: string
  readonly type: RecordType
  readonly values: readonly string[]
  readonly ttl: number
  readonly source: Place | null
}

type ZoneContext = {
  readonly domain: MailDomain
  readonly config: AgentConfig
  readonly dkim: DkimKey | undefined
  /** Hosts of the institution that relay mail: they greet with their own name, so it is not declared to send nothing. */
  readonly relays: ReadonlySet<string>
}

export function desiredDns(world: World): readonly DesiredDns[] {
  const records: DesiredDns[] = []
  for (const [name, { domain, state }] of world.domains) {
    if (!isProvisioned(state)) continue
    const servers = world.institutions.get(domain.institution)?.servers ?? []
    const relays = new Set<string>(servers.filter(({ roles }) => roles.includes('relay')).map(({ host }) => host))
    records.push(...zoneOf({ domain, config: world.config, dkim: world.dkim.get(name), relays }))
  }
  return records
}

function zoneOf(context: ZoneContext): DesiredDns[] {
  const { domain } = context
  const derived = [...infrastructure(context), ...authentication(context), ...services(context)].map(record =>
    withApexText(domain, record),
  )
  const own = admitted(domain, derived)
  const silent = silentNames(context, [...derived, ...own])
  const zone: ZoneResource = { provider: 'dns', kind: 'zone', key: domain.name, apex: domain.name }
  return [
    { resource: zone, source: domain.place },
    ...[...derived, ...own, ...silent].map(layered => ({
      resource: toRRset(domain.name, layered),
      source: layered.source ?? domain.place,
    })),
  ]
}

/** Texts of the institution at the apex (proofs of ownership, say) share one RRset with SPF, but no second SPF gets in. */
function withApexText(domain: MailDomain, record: Layered): Layered {
  if (record.owner !== domain.name || record.type !== 'TXT') return record
  const own = domain.extra.filter(extra => extra.owner === domain.name && extra.type === 'TXT')
  const texts = own.flatMap(({ values }) => values).filter(value => !/^\s*v=spf1(?:\s|$)/i.test(value))
  return { ...record, values: [...record.values, ...texts] }
}

function toRRset(zone: DomainName, { owner, type, ttl, values }: Layered): RRsetResource {
  const canonical = canonicalValues(type, values)
  return { provider: 'dns', kind: 'rrset', key: `${zone}/${owner}/${type}`, zone, owner, type, ttl, values: canonical }
}

/** Writes a derived RRset of the domain; `name` is relative, the empty one is the apex. */
function writer(domain: MailDomain) {
  return (name: string, type: RecordType, ...values: readonly string[]): Layered => ({
    owner: name === '' ? domain.name : `${name}.${domain.name}`,
    type,
    values,
    ttl: domain.ttl,
    source: null,
  })
}

function infrastructure({ domain, config: { mail } }: ZoneContext): Layered[] {
  const rrset = writer(domain)
  const { refresh, retry, expire, minimum } = soaTimes
  const soa = [mail.nameServers[0], mailboxName(mail.hostmaster), refresh, retry, expire, minimum].join(' ')
  return [
    rrset('', 'SOA', soa),
    rrset('', 'NS', ...mail.nameServers),
    rrset('', 'MX', ...mail.mx.map(({ host, priority }) => `${priority} ${host}`)),
  ]
}

/** Who may send for the domain, how that is proved, and where reports of the contrary go. */
function authentication({ domain, config, dkim }: ZoneContext): Layered[] {
  const rrset = writer(domain)
  // The institution's own servers are not listed: they send through the operator, whose exchangers `mx` stands for.
  const spf = formatSpf({
    terms: [directive({ name: 'mx', domain: null, prefix4: null, prefix6: null }), directive({ name: 'all' }, '-')],
  })
  const reports = reportUri(config.mail.reports)
  const records = [
    rrset('', 'TXT', spf),
    rrset('_dmarc', 'TXT', formatDmarc(dmarc('quarantine', [reports]))),
    rrset('_mta-sts', 'TXT', formatMtaSts(mtaStsId(desiredMtaSts(config)))),
    rrset('_smtp._tls', 'TXT', formatTlsRpt([reports])),
  ]
  if (dkim !== undefined) {
    const key = formatDkim({ keyType: 'rsa', publicKey: dkim.publicKey, flags: [] })
    records.push(rrset(`${dkim.selector}._domainkey`, 'TXT', key))
  }
  // RFC 7489 section 7.1: reports on other domains come only if the reports' domain agrees. The wildcard says so for
  // all of them, so that this zone doesn't depend on which others there are.
  if (domainOf(config.mail.reports) === domain.name) records.push(rrset('*._report._dmarc', 'TXT', 'v=DMARC1'))
  return records
}

/** Where mail programs find their servers (RFC 6186, RFC 8314), and senders the TLS policy. */
function services({ domain, config: { mail } }: ZoneContext): Layered[] {
  const rrset = writer(domain)
  // With delivery `relay` people log in at their institution's own server: the operator's must never ask for a password.
  const offered = domain.delivery !== 'relay'
  const at = (port: number, host: string) => (offered ? `0 1 ${port} ${host}` : noService)
  const records = [
    rrset('_submission._tcp', 'SRV', at(587, mail.submission)),
    rrset('_submissions._tcp', 'SRV', at(465, mail.submission)),
    rrset('_imaps._tcp', 'SRV', at(993, mail.submission)),
    rrset('_pop3s._tcp', 'SRV', at(995, mail.submission)),
    rrset('_imap._tcp', 'SRV', noService),
    rrset('_pop3._tcp', 'SRV', noService),
    rrset('mta-sts', 'CNAME', mail.web),
  ]
  if (offered)
    records.push(rrset('autoconfig', 'CNAME', mail.web), rrset('_autodiscover._tcp', 'SRV', at(443, mail.web)))
  // A host of the operator's own zone is no alias of itself.
  return records.filter(({ type, owner }) => type !== 'CNAME' || owner !== mail.web)
}

const setKey = (record: { readonly owner: string; readonly type: string }) => `${record.owner}/${record.type}`

/** The institution's own RRsets, without those that meet a derived one or an alias (RFC 1034 section 3.6.2). */
function admitted(domain: MailDomain, derived: readonly Layered[]): Layered[] {
  const derivedKeys = new Set(derived.map(setKey))
  const derivedOwners = new Set(derived.map(({ owner }) => owner))
  const derivedAliases = new Set(derived.filter(({ type }) => type === 'CNAME').map(({ owner }) => owner))
  // A delegation of a name would hide what is derived below it.
  const hidesDerived = ({ owner, type }: ExtraRecord) =>
    type === 'NS' && derived.some(record => record.owner === owner || record.owner.endsWith(`.${owner}`))
  const free = domain.extra.filter(
    extra =>
      extra.type !== 'SOA' &&
      !hidesDerived(extra) &&
      !derivedKeys.has(setKey(extra)) &&
      !derivedAliases.has(extra.owner) &&
      !(extra.type === 'CNAME' && derivedOwners.has(extra.owner)),
  )
  const aliases = new Set(free.filter(({ type }) => type === 'CNAME').map(({ owner }) => owner))
  const sets = new Map<string, Layered>()
  for (const extra of free) {
    if (extra.type !== 'CNAME' && aliases.has(extra.owner)) continue
    const earlier = sets.get(setKey(extra))
    if (earlier === undefined) sets.set(setKey(extra), fromExtra(domain, extra))
    // Two lines of one owner and type are one RRset (RFC 2181 section 5); an alias has one target.
    else if (extra.type !== 'CNAME')
      sets.set(setKey(extra), { ...earlier, values: [...earlier.values, ...extra.values] })
  }
  return [...sets.values()]
}

function fromExtra(domain: MailDomain, { owner, type, values, ttl, place }: ExtraRecord): Layered {
  return { owner, type, values: type === 'CNAME' ? values.slice(0, 1) : values, ttl: ttl ?? domain.ttl, source: place }
}

/** Names with an address that have no part in mail: nobody may write to them, nor send in their name. */
function silentNames({ domain, relays }: ZoneContext, records: readonly Layered[]): Layered[] {
  const known = new Set(records.map(setKey))
  const cuts = records.filter(({ owner, type }) => type === 'NS' && owner !== domain.name).map(({ owner }) => owner)
  const delegated = (owner: string) => cuts.some(cut => owner === cut || owner.endsWith(`.${cut}`))
  const silent = new Map<string, Layered>()
  for (const { owner, type, ttl, source } of records) {
    if ((type !== 'A' && type !== 'AAAA') || owner === domain.name || delegated(owner)) continue
    // A name with an MX of its own takes mail, and may well send it.
    if (known.has(`${owner}/MX`) || relays.has(owner)) continue
    const add = (name: string, recordType: RecordType, value: string) => {
      const layered = { owner: name, type: recordType, values: [value], ttl, source }
      if (!known.has(setKey(layered)) && !silent.has(setKey(layered))) silent.set(setKey(layered), layered)
    }
    add(owner, 'MX', nullMx)
    add(owner, 'TXT', noSender)
    // Receivers look here and at the organisational domain, never at the names between (RFC 7489 section 6.6.3).
    if (
      !owner.startsWith('*.') &&
      !known.has(`_dmarc.${owner}/CNAME`) &&
      owner.length + '_dmarc.'.length <= ownerLengthMax
    )
      add(`_dmarc.${owner}`, 'TXT', formatDmarc(dmarc('reject')))
  }
  return [...silent.values()]
}
