/**
 * The two messages of a look-up (RFC 1035 section 4): one question out, the answer taken apart into the canonical values
 * that plans compare. The codec of dns2 loses the difference between a dot in a label and one between labels, and with it
 * the mailbox of a SOA, so names are read here. Pure; what is malformed gives undefined, never an exception.
 */
import type { RecordType } from '../../agent/model/resource.ts'
import { canonicalValues, formatLabels, formatRdata, parseLabels, type Rdata } from '../../agent/standards/dns-text.ts'

const typeCodes: Readonly<Record<RecordType, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  CAA: 257,
}
const typeOf = new Map(Object.entries(typeCodes).map(([type, code]) => [code, type as RecordType]))
const classInternet = 1
const headerOctets = 12
/** RFC 1035 section 4.1.4 lets names point backwards; a name of 255 octets has at most 127 labels. */
const pointersMax = 127

export type Question = { readonly name: string; readonly type: RecordType }

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

/** @returns undefined when the name is none. No recursion is asked for. */
export function formatQuery(id: number, { name, type }: Question): Buffer | undefined {
  const labels = parseLabels(name)
  if (labels === undefined) return undefined
  const header = Buffer.alloc(headerOctets)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE(1, 4)
  const octets = labels.map(label => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]))
  const tail = Buffer.alloc(5)
  tail.writeUInt16BE(typeCodes[type], 1)
  tail.writeUInt16BE(classInternet, 3)
  return Buffer.concat([header, ...octets, tail])
}

/** @returns undefined when the message is no answer to this question, or malformed: it is passed over. */
export function parseAnswer(message: Buffer, id: number, question: Question): Answer | undefined {
  try {
    return readAnswer(message, id, question)
  } catch (error) {
    // Reading beyond the end, or a name that is none.
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function readAnswer(message: Buffer, id: number, { name, type }: Question): Answer | undefined {
  const flags = message.readUInt16BE(2)
  const isResponse = (flags & 0x8000) !== 0 && (flags & 0x7800) === 0
  if (message.readUInt16BE(0) !== id || !isResponse || message.readUInt16BE(4) !== 1) return undefined
  const asked = readName(message, headerOctets)
  const sameType = message.readUInt16BE(asked.end) === typeCodes[type]
  if (asked.name !== canonicalName(name) || !sameType || message.readUInt16BE(asked.end + 2) !== classInternet)
    return undefined
  let at = asked.end + 4
  const isTruncated = (flags & 0x0200) !== 0
  const read = (count: number) => {
    const records: AnswerRecord[] = []
    for (let index = 0; index < count; index++) {
      const { record, end } = readRecord(message, at)
      if (record !== undefined) records.push(record)
      at = end
    }
    return records
  }
  // What a truncated message still holds is not looked at.
  const answers = isTruncated ? [] : read(message.readUInt16BE(6))
  const authorities = isTruncated ? [] : read(message.readUInt16BE(8))
  return { rcode: flags & 0x0f, isAuthoritative: (flags & 0x0400) !== 0, isTruncated, answers, authorities }
}

function canonicalName(name: string): string | undefined {
  const labels = parseLabels(name)
  return labels === undefined ? undefined : formatLabels(labels)
}

/** @throws RangeError */
function readName(message: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let end: number | undefined
  let at = start
  let pointers = 0
  for (let length = message.readUInt8(at); length !== 0; length = message.readUInt8(at)) {
    if (length >= 0xc0) {
      end ??= at + 2
      const target = message.readUInt16BE(at) & 0x3fff
      if (target >= at || ++pointers > pointersMax) throw new RangeError('a pointer that does not point backwards')
      at = target
    } else {
      if (length > 63 || at + 1 + length > message.length) throw new RangeError('no label')
      labels.push(message.toString('latin1', at + 1, at + 1 + length))
      if (labels.length > pointersMax) throw new RangeError('a name without end')
      at += 1 + length
    }
  }
  return { name: formatLabels(labels), end: end ?? at + 1 }
}

/** @throws RangeError */
function readRecord(
  message: Buffer,
  start: number,
): { readonly record: AnswerRecord | undefined; readonly end: number } {
  const { name, end: at } = readName(message, start)
  const type = typeOf.get(message.readUInt16BE(at))
  const isInternet = message.readUInt16BE(at + 2) === classInternet
  const ttl = message.readUInt32BE(at + 4)
  const data = at + 10
  const end = data + message.readUInt16BE(at + 8)
  if (end > message.length) throw new RangeError('data beyond the end')
  if (type === undefined || !isInternet) return { record: undefined, end }
  const { value, serial } = readData(message, type, { data, end })
  return { record: { owner: name, type, ttl, value, serial }, end }
}

/** @throws RangeError */
function readData(
  message: Buffer,
  type: RecordType,
  { data, end }: { readonly data: number; readonly end: number },
): { readonly value: string; readonly serial: number | null } {
  const of = (rdata: Rdata, serial: number | null = null) => ({ value: formatRdata(rdata), serial })
  const nameAt = (at: number) => {
    const read = readName(message, at)
    if (read.end > end) throw new RangeError('a name beyond its data')
    return read
  }
  switch (type) {
    case 'A':
    case 'AAAA':
      return { value: readAddress(message.subarray(data, end), type), serial: null }
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return of({ type, target: nameAt(data).name })
    case 'MX':
      return of({ type, preference: message.readUInt16BE(data), exchange: nameAt(data + 2).name })
    case 'SRV': {
      const [priority, weight, port] = [0, 2, 4].map(offset => message.readUInt16BE(data + offset)) as [
        number,
        number,
        number,
      ]
      return of({ type, priority, weight, port, target: nameAt(data + 6).name })
    }
    case 'TXT':
      return of({ type, text: readStrings(message.subarray(data, end)) })
    case 'CAA': {
      const tagEnd = data + 2 + message.readUInt8(data + 1)
      if (tagEnd > end) throw new RangeError('a tag beyond its data')
      const [tag, value] = [message.toString('utf8', data + 2, tagEnd), message.toString('utf8', tagEnd, end)]
      return of({ type, flags: message.readUInt8(data), tag: tag.toLowerCase(), value })
    }
    case 'SOA': {
      const mname = nameAt(data)
      const rname = nameAt(mname.end)
      const [serial = 0, ...times] = [0, 4, 8, 12, 16].map(offset => message.readUInt32BE(rname.end + offset))
      if (rname.end + 20 > end) throw new RangeError('a SOA beyond its data')
      const [refresh = 0, retry = 0, expire = 0, minimum = 0] = times
      return of({ type, mname: mname.name, rname: rname.name, times: [refresh, retry, expire, minimum] }, serial)
    }
  }
}

function readAddress(octets: Buffer, type: 'A' | 'AAAA'): string {
  if (octets.length !== (type === 'A' ? 4 : 16)) throw new RangeError('no address')
  const text =
    type === 'A'
      ? octets.join('.')
      : (octets.toString('hex').match(/.{4}/g) ?? []).map(group => Number.parseInt(group, 16).toString(16)).join(':')
  return canonicalValues(type, [text])[0] ?? text
}

/** Character-strings joined: where a text was cut has no meaning (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2). */
function readStrings(octets: Buffer): string {
  const parts: Buffer[] = []
  for (let at = 0; at < octets.length; ) {
    const next = at + 1 + octets.readUInt8(at)
    if (next > octets.length) throw new RangeError('a string beyond its data')
    parts.push(octets.subarray(at + 1, next))
    at = next
  }
  return Buffer.concat(parts).toString()
}
