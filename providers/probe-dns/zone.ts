/**
 * Whether every name server of a zone gives out what should stand in it: the serial and each RRset are asked of each server
 * itself, without recursion, and compared as plans compare them. It judges nothing and changes nothing; a server that does
 * not answer is a finding, not an exception.
 */
import type { RecordType, RRsetResource } from '../../agent/model/resource.ts'
import { codeName, responseCodes } from '../../agent/standards/dns-message.ts'
import { bareName, canonicalRRset } from '../../agent/standards/dns-resource.ts'
import { toReplyText } from '../../agent/standards/smtp-reply.ts'
import { ask, type NameServer } from './ask.ts'
import type { Answer, AnswerRecord } from './message.ts'

export type ZoneProbe = {
  readonly nameServers: readonly NameServer[]
  readonly zone: string
  /** What each server should answer. No values: nothing may stand there. */
  readonly expected: readonly RRsetResource[]
  /** Of the whole probe. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** `wrong-answer`: it answers, but not with authority for this zone. */
export type Trouble = 'unreachable' | 'wrong-answer'

export type Difference = {
  readonly owner: string
  readonly type: RecordType
  readonly expected: { readonly ttl: number; readonly values: readonly string[] }
  /** Null where the server did not answer this question; `detail` says why. */
  readonly found: { readonly ttl: number | null; readonly values: readonly string[] } | null
  readonly detail: string | null
}

export type ServerFinding = {
  readonly server: string
  /** Null when it is not known. */
  readonly serial: number | null
  readonly trouble: Trouble | null
  /** What the trouble is, for people. */
  readonly detail: string | null
  readonly differences: readonly Difference[]
}

export type ZoneFindings = {
  /** Every server answers with authority, all with one serial, and none differs. */
  readonly isAsExpected: boolean
  readonly hasOneSerial: boolean
  /** In the order given. */
  readonly servers: readonly ServerFinding[]
}

/** Questions on their way to one server at once: more is impolite, and loses datagrams. */
const questionsAtOnceMax = 8
const { noError, nameError } = responseCodes

export async function probeZone(probe: ZoneProbe): Promise<ZoneFindings> {
  const deadline = AbortSignal.any([probe.signal, AbortSignal.timeout(probe.timeoutMs)])
  const servers = await Promise.all(probe.nameServers.map(server => probeServer(server, probe, deadline)))
  const serials = new Set(servers.map(({ serial }) => serial))
  const hasOneSerial = serials.size === 1 && !serials.has(null)
  const isClean = servers.every(({ trouble, differences }) => trouble === null && differences.length === 0)
  return { isAsExpected: hasOneSerial && isClean, hasOneSerial, servers }
}

async function probeServer(
  server: NameServer,
  { zone, expected }: ZoneProbe,
  deadline: AbortSignal,
): Promise<ServerFinding> {
  const apex = bareName(zone)
  const finding = { server: formatServer(server), serial: null, differences: [] }
  let start: Answer
  try {
    start = await ask(server, { name: apex, type: 'SOA' }, deadline)
  } catch (error) {
    return { ...finding, trouble: 'unreachable', detail: wordsOf(error) }
  }
  const soa = start.answers.find(({ owner, type }) => owner === apex && type === 'SOA')
  if (start.rcode !== noError || !start.isAuthoritative || soa === undefined)
    return { ...finding, trouble: 'wrong-answer', detail: describe(start) }
  const wanted = expected.map(canonicalRRset)
  const differences: Difference[] = []
  for (let first = 0; first < wanted.length; first += questionsAtOnceMax) {
    const batch = wanted.slice(first, first + questionsAtOnceMax)
    const found = await Promise.all(batch.map(rrset => compare(server, rrset, deadline)))
    differences.push(...found.filter(difference => difference !== null))
  }
  return { ...finding, serial: soa.serial, trouble: null, detail: null, differences }
}

/** Null when the server gives out what is expected. */
async function compare(server: NameServer, rrset: RRsetResource, deadline: AbortSignal): Promise<Difference | null> {
  const { owner, type, ttl, values } = rrset
  const expected = { ttl, values }
  let answer: Answer
  try {
    answer = await ask(server, { name: owner, type }, deadline)
  } catch (error) {
    return { owner, type, expected, found: null, detail: wordsOf(error) }
  }
  const { records, isAnswered } = recordsOf(answer, rrset)
  if (!isAnswered) return { owner, type, expected, found: null, detail: describe(answer) }
  const found = {
    // RFC 2181 section 5.2: the TTLs of one RRset are equal; the least would be in force.
    ttl: records.length === 0 ? null : Math.min(...records.map(record => record.ttl)),
    values: [...new Set(records.map(({ value }) => value))].sort(),
  }
  const isEqual = JSON.stringify(found.values) === JSON.stringify(values) && (values.length === 0 || found.ttl === ttl)
  return isEqual ? null : { owner, type, expected, found, detail: null }
}

/** The records of the RRset. Of a delegation the parent has the NS records without authority (RFC 1034 section 4.2.1). */
function recordsOf(
  answer: Answer,
  { owner, type, zone }: RRsetResource,
): { readonly records: readonly AnswerRecord[]; readonly isAnswered: boolean } {
  const ours = (records: readonly AnswerRecord[]) =>
    records.filter(record => record.owner === owner && record.type === type)
  const referral = type === 'NS' && owner !== zone ? ours(answer.authorities) : []
  if (answer.rcode === noError && !answer.isAuthoritative && referral.length > 0)
    return { records: referral, isAnswered: true }
  const isAnswered = answer.isAuthoritative && (answer.rcode === noError || answer.rcode === nameError)
  return { records: ours(answer.answers), isAnswered }
}

function describe({ rcode, isAuthoritative }: Answer): string {
  const name = codeName(rcode)
  return isAuthoritative ? name : `${name}, without authority`
}

function formatServer({ host, port }: NameServer): string {
  const shown = host.includes(':') ? `[${host}]` : host
  return port === undefined ? shown : `${shown}:${port}`
}

function wordsOf(error: unknown): string {
  return toReplyText(error instanceof Error ? error.message : String(error)) || 'no reason given'
}
