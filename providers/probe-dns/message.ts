/**
 * The two messages of a look-up (RFC 1035 section 4): one question out, the answer taken apart into the canonical values
 * that plans compare. Pure; what is malformed gives undefined, never an exception.
 */
import type { RecordType } from '../../agent/model/resource.ts'
import {
  classIn,
  type DnsMessage,
  type DnsRecord,
  encodeQuery,
  parseMessage,
} from '../../agent/standards/dns-message.ts'
import { formatLabels, formatRdata, parseLabels } from '../../agent/standards/dns-text.ts'
import { fromRdata, readName, readSoa, typeCodes } from '../../agent/standards/dns-wire.ts'

export type Question = {
  readonly name: string
  readonly type: RecordType
  /** Of a resolver; absent: what the server itself knows. */
  readonly recursion?: 'desired'
}

export type AnswerRecord = {
  readonly owner: string
  readonly type: RecordType
  readonly ttl: number
  /** As `model/resource.ts` describes it; a SOA is without its serial here. */
  readonly value: string
  /** Of a SOA, null for others. */
  readonly serial: number | null
}

export type Answer = {
  readonly rcode: number
  readonly isAuthoritative: boolean
  readonly isTruncated: boolean
  /** Of section answer and section authority, those of a type that we know. */
  readonly answers: readonly AnswerRecord[]
  readonly authorities: readonly AnswerRecord[]
}

const truncatedFlag = 0x0200
const recursionDesiredFlag = 0x0100
const questionAt = 12 // the octets of the header
const countsAt = 6

/** @returns undefined when the name is none. */
export function formatQuery(id: number, { name, type, recursion }: Question): Buffer | undefined {
  if (parseLabels(name) === undefined) return undefined
  const query = Buffer.from(encodeQuery(id, name, typeCodes[type]))
  if (recursion === 'desired') query.writeUInt16BE(query.readUInt16BE(2) | recursionDesiredFlag, 2)
  return query
}

/** @returns undefined when the message is no answer to this question, or malformed: it is passed over. */
export function parseAnswer(octets: Buffer, id: number, question: Question): Answer | undefined {
  const isTruncated = octets.length > questionAt && (octets.readUInt16BE(2) & truncatedFlag) !== 0
  const whole = isTruncated ? withoutRecords(octets) : octets
  const message = whole === undefined ? undefined : parseMessage(whole)
  if (message === undefined || !isAnswerTo(message, id, question)) return undefined
  const answers = toRecords(message.answers)
  const authorities = toRecords(message.authorities)
  if (answers === undefined || authorities === undefined) return undefined
  return { rcode: message.rcode, isAuthoritative: message.authoritative, isTruncated, answers, authorities }
}

/** What a truncated message still holds is not looked at: it may end in the middle of a record. */
function withoutRecords(octets: Buffer): Buffer | undefined {
  const name = readName(octets, questionAt)
  if (name === undefined) return undefined
  const head = Buffer.from(octets.subarray(0, name.end + 4))
  return head.fill(0, countsAt, questionAt)
}

function isAnswerTo(message: DnsMessage, id: number, { name, type }: Question): boolean {
  const labels = parseLabels(name)
  const asked = message.question
  if (!message.response || message.opcode !== 0 || message.id !== id || labels === undefined) return false
  return asked?.name === formatLabels(labels) && asked.type === typeCodes[type]
}

/** Undefined when one of a type that we know is malformed. */
function toRecords(records: readonly DnsRecord[]): AnswerRecord[] | undefined {
  const known = records.filter(record => record.class === classIn && Object.values(typeCodes).includes(record.type))
  const read = known.flatMap(({ owner, type, ttl, rdata }): AnswerRecord[] => {
    const parsed = fromRdata(type, rdata)
    if (parsed === undefined) return []
    const serial = parsed.type === 'SOA' ? (readSoa(rdata)?.serial ?? null) : null
    return [{ owner, type: parsed.type, ttl, value: formatRdata(parsed), serial }]
  })
  return read.length === known.length ? read : undefined
}
