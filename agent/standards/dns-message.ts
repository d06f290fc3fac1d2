/**
 * Whole DNS messages as a client sends and reads them: RFC 1035 section 4. Pure; reading throws on nothing, and what is
 * not sound to its last octet is no message. It says nothing of who sent it: see `tsig.ts`.
 */
import { formatLabels } from './dns-text.ts'
import { expandRdata, nameOctets, numbers, readName } from './dns-wire.ts'

export const messageOctetsMax = 65_535 // RFC 1035 section 4.2.2: two octets of length over TCP
export const headerOctets = 12
export const classIn = 1

export const queryTypes = { soa: 6, axfr: 252 } as const

/** RFC 1035 section 4.1.1, RFC 2136 section 2.2. */
export const responseCodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  nameExists: 6,
  rrsetExists: 7,
  rrsetAbsent: 8,
  notAuthoritative: 9,
  notZone: 10,
} as const

const codeNames = [
  ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'],
  ['YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH', 'NOTZONE'],
].flat()

/** The code as operators know it: `REFUSED`. */
export function codeName(rcode: number): string {
  return codeNames[rcode] ?? `RCODE${rcode}`
}

export type DnsRecord = {
  /** Canonical text: lower case, no final dot. */
  readonly owner: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  /** Names in it stand in full. */
  readonly rdata: Buffer
  /** Where the record begins in its message. */
  readonly at: number
}

export type DnsMessage = {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly rcode: number
  readonly question: { readonly name: string; readonly type: number } | null
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
}

/** A question of class IN without recursion. */
export function encodeQuery(id: number, name: string, type: number): Buffer {
  const header = numbers([id, 2], [0, 2], [1, 2], [0, 2], [0, 2], [0, 2])
  return Buffer.concat([header, nameOctets(name), numbers([type, 2], [classIn, 2])])
}

/** @returns undefined for anything but one whole message with at most one question. */
export function parseMessage(octets: Buffer): DnsMessage | undefined {
  if (octets.length < headerOctets) return undefined
  const flags = octets.readUInt16BE(2)
  let at = headerOctets
  let question: DnsMessage['question'] = null
  const questions = octets.readUInt16BE(4)
  if (questions > 1) return undefined
  if (questions === 1) {
    const name = readName(octets, at)
    if (name === undefined || name.end + 4 > octets.length) return undefined
    question = { name: formatLabels(name.labels), type: octets.readUInt16BE(name.end) }
    at = name.end + 4
  }
  const sections: DnsRecord[][] = []
  for (const countAt of [6, 8, 10]) {
    const section: DnsRecord[] = []
    for (let left = octets.readUInt16BE(countAt); left > 0; left -= 1) {
      const read = readRecord(octets, at)
      if (read === undefined) return undefined
      section.push(read.record)
      at = read.end
    }
    sections.push(section)
  }
  if (at !== octets.length) return undefined
  const [answers = [], authorities = [], additionals = []] = sections
  return {
    id: octets.readUInt16BE(0),
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0x0f,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    rcode: flags & 0x0f,
    question,
    answers,
    authorities,
    additionals,
  }
}

function readRecord(octets: Buffer, at: number): { record: DnsRecord; end: number } | undefined {
  const name = readName(octets, at)
  if (name === undefined || name.end + 10 > octets.length) return undefined
  const start = name.end + 10
  const end = start + octets.readUInt16BE(name.end + 8)
  if (end > octets.length) return undefined
  const type = octets.readUInt16BE(name.end)
  const rdata = expandRdata(octets, type, start, end)
  if (rdata === undefined) return undefined
  const owner = formatLabels(name.labels)
  const [cls, ttl] = [octets.readUInt16BE(name.end + 2), octets.readUInt32BE(name.end + 4)]
  return { record: { owner, type, class: cls, ttl, rdata, at }, end }
}
