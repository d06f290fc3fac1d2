/**
 * The wire form of DNS messages (RFC 1035 section 4, RFC 6891), over the codec of dns2. Questions are read here, since
 * dns2 loses the difference between a dot in a label and one between labels; RDATA comes as octets made in advance
 * (`agent/standards/dns-wire.ts`), since dns2 compresses names where RFC 3597 forbids it. Decoding throws on nothing.
 */
import { Packet } from 'dns2'
import { nameOctetsMax } from '../../agent/standards/dns-text.ts'

export const headerOctets = 12
const recordsBesideQuestionMax = 4 // an OPT, a TSIG, and room; more would only cost time to decode

export const anyType = 255
/** IANA: OPT, TKEY, TSIG, IXFR, AXFR, MAILB, MAILA are no types of data. */
export const isMetaType = (type: number): boolean => type === 41 || (type >= 249 && type <= 254)

export const rcodes = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const

export type Header = {
  readonly id: number
  readonly response: boolean
  readonly opcode: number
  readonly recursionDesired: boolean
}

export type Question = {
  /** Lower case, labels joined by dots. An octet that no name of ours has stands as U+0000. The root is empty. */
  readonly name: string
  readonly type: number
  readonly class: number
  /** As it came, to be given back octet for octet. */
  readonly octets: Uint8Array
}

export type Edns = { readonly version: number; readonly payloadOctets: number; readonly dnssecOk: boolean }

/** One record to be sent. */
export type WireRecord = {
  readonly owner: string
  readonly type: number
  readonly ttl: number
  readonly rdata: Uint8Array
}

/** @returns undefined when the message is shorter than a header. */
export function readHeader(message: Uint8Array): Header | undefined {
  if (message.length < headerOctets) return undefined
  const flags = message[2] ?? 0
  return {
    id: ((message[0] ?? 0) << 8) | (message[1] ?? 0),
    response: (flags & 0x80) !== 0,
    opcode: (flags >> 3) & 0x0f,
    recursionDesired: (flags & 0x01) !== 0,
  }
}

function count(message: Uint8Array, section: 0 | 1 | 2 | 3): number {
  return ((message[4 + section * 2] ?? 0) << 8) | (message[5 + section * 2] ?? 0)
}

/** The only question of a query; undefined when there is none, more than one, or it is malformed. */
export function readQuestion(message: Uint8Array): Question | undefined {
  if (count(message, 0) !== 1) return undefined
  const labels: string[] = []
  let at = headerOctets
  for (let length = message[at]; length !== 0; length = message[at]) {
    // The first name of a message has nothing before it that a pointer could mean (RFC 1035 section 4.1.4).
    if (length === undefined || length > 63 || at + length + 1 - headerOctets >= nameOctetsMax) return undefined
    const octets = message.subarray(at + 1, at + 1 + length)
    labels.push(
      String.fromCharCode(
        ...octets.map(octet => (octet === 0x2e ? 0 : octet >= 0x41 && octet <= 0x5a ? octet + 32 : octet)),
      ),
    )
    at += 1 + length
  }
  const end = at + 5
  if (end > message.length) return undefined
  const [, typeHigh = 0, typeLow = 0, classHigh = 0, classLow = 0] = message.subarray(at, end)
  return {
    name: labels.join('.'),
    type: (typeHigh << 8) | typeLow,
    class: (classHigh << 8) | classLow,
    octets: message.subarray(headerOctets, end),
  }
}

/** The OPT record of a query: null when there is none, undefined when what follows the question is malformed. */
export function readEdns(message: Uint8Array): Edns | null | undefined {
  const [answers, authorities, additionals] = [count(message, 1), count(message, 2), count(message, 3)]
  if (answers !== 0 || authorities + additionals > recordsBesideQuestionMax) return undefined
  if (authorities + additionals === 0) return null
  try {
    const packet = Packet.parse(Buffer.from(message.buffer, message.byteOffset, message.length))
    if (packet.errors.length > 0) return undefined
    const options = packet.additionals.filter(record => record.type === Packet.TYPE.EDNS)
    const [option] = options
    if (option === undefined) return null
    // RFC 6891 section 6.1.1: at most one, and its owner is the root.
    if (options.length > 1 || option.name !== '') return undefined
    return { version: option.version ?? 0, payloadOctets: option.class, dnssecOk: option.doFlag === true }
  } catch {
    return undefined
  }
}

export type Message = {
  readonly header: Header
  readonly question: Question | undefined
  readonly rcode: number
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly answers: readonly WireRecord[]
  readonly authorities: readonly WireRecord[]
  readonly additionals: readonly WireRecord[]
  /** Null when the query had no OPT record: then the answer has none (RFC 6891 section 7). */
  readonly edns: { readonly payloadOctets: number; readonly dnssecOk: boolean } | null
}

type Writer = InstanceType<typeof Packet.Writer> & { names?: Map<string, number> }

function writeRecord(writer: Writer, record: WireRecord): void {
  Packet.Name.encode(record.owner, writer)
  writer.write(record.type, 16)
  writer.write(Packet.CLASS.IN, 16)
  writer.write(record.ttl, 32)
  writer.write(record.rdata.length, 16)
  for (const octet of record.rdata) writer.write(octet, 8)
}

/** The octets of a response. Owners that end as the question does are compressed, which gives its case back as well. */
export function encodeMessage(message: Message): Buffer {
  const { header, question, answers, authorities, additionals, edns } = message
  const writer: Writer = new Packet.Writer()
  writer.names = new Map()
  const flag = (value: boolean): 0 | 1 => (value ? 1 : 0)
  new Packet.Header({
    id: header.id,
    qr: 1,
    opcode: header.opcode,
    aa: flag(message.authoritative),
    tc: flag(message.truncated),
    rd: flag(header.recursionDesired),
    rcode: message.rcode,
    qdcount: question === undefined ? 0 : 1,
    ancount: answers.length,
    nscount: authorities.length,
    arcount: additionals.length + (edns === null ? 0 : 1),
  }).toBuffer(writer)
  if (question !== undefined) {
    Packet.Name.encode(question.name, writer)
    writer.write(question.type, 16)
    writer.write(question.class, 16)
  }
  for (const record of [...answers, ...authorities, ...additionals]) writeRecord(writer, record)
  if (edns !== null) {
    const extendedRcode = message.rcode >> 4
    const option = Packet.Resource.EDNS([], {
      extendedRcode,
      doFlag: edns.dnssecOk,
      udpPayloadSize: edns.payloadOctets,
    })
    Packet.Resource.encode({ ...option, name: '' }, writer)
  }
  const octets = writer.toBuffer()
  // The labels have the same lengths, so only their octets differ.
  if (question !== undefined) octets.set(question.octets, headerOctets)
  return octets
}
