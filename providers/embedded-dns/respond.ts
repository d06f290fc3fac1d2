/**
 * From the octets of a query to those of its answer. It answers for its own zones and for nothing else, never answers an
 * answer, and never throws, whatever comes in (R26). RFC 1035, 2181, 6891, 8482, 9619.
 */
import { lookUp } from './lookup.ts'
import {
  type Edns,
  encodeMessage,
  type Header,
  isMetaType,
  type Message,
  type Question,
  rcodes,
  readEdns,
  readHeader,
  readQuestion,
} from './wire.ts'
import type { ZoneIndex } from './zone-index.ts'

export type Transport = 'udp' | 'tcp'

/** A query has a name of 255 octets, an OPT record and perhaps a signature. More is only work for the decoder. */
export const queryOctetsMax = 4_096
/** DNS flag day 2020: what gets through without fragments. */
export const udpOctetsMax = 1_232
const plainUdpOctetsMax = 512 // RFC 1035 section 4.2.1, for queries without EDNS
const tcpOctetsMax = 65_535 // RFC 1035 section 4.2.2: two octets of length
const classIn = 1

type Answer = Partial<Message> & Pick<Message, 'rcode'>

/** @returns undefined when no answer is due. */
export function respond(zones: ZoneIndex, message: Uint8Array, transport: Transport): Buffer | undefined {
  const header = readHeader(message)
  // An answer to an answer would go to and fro for ever.
  if (header === undefined || header.response) return undefined
  const question = message.length > queryOctetsMax ? undefined : readQuestion(message)
  try {
    if (header.opcode !== 0) return encode(header, question, null, { rcode: rcodes.notImplemented })
    const edns = question === undefined ? undefined : readEdns(message)
    // RFC 9619: a query has one question.
    if (question === undefined || edns === undefined)
      return encode(header, question, null, { rcode: rcodes.formatError })
    if (edns !== null && edns.version !== 0) return encode(header, question, edns, { rcode: rcodes.badVersion })
    return sized(header, question, edns, answer(zones, question), transport)
  } catch {
    return encode(header, undefined, null, { rcode: rcodes.serverFailure })
  }
}

function answer(zones: ZoneIndex, question: Question): Answer {
  if (question.type === 41) return { rcode: rcodes.formatError }
  if (question.class !== classIn || isMetaType(question.type)) return { rcode: rcodes.refused }
  const zone = zones.zoneOf(question.name)
  return zone === undefined ? { rcode: rcodes.refused } : lookUp(zone, question.name, question.type)
}

function encode(header: Header, question: Question | undefined, edns: Edns | null, answer: Answer): Buffer {
  const { rcode, authoritative = false, truncated = false, answers = [], authorities = [], additionals = [] } = answer
  const option = edns === null ? null : { payloadOctets: udpOctetsMax, dnssecOk: edns.dnssecOk }
  return encodeMessage({
    header,
    question,
    rcode,
    authoritative,
    truncated,
    answers,
    authorities,
    additionals,
    edns: option,
  })
}

/** Whole, or without the addresses that nobody asked for, or cut to the question with TC: never half an RRset (RFC 2181 section 9). */
function sized(header: Header, question: Question, edns: Edns | null, answer: Answer, transport: Transport): Buffer {
  const asked = edns === null ? plainUdpOctetsMax : Math.max(edns.payloadOctets, plainUdpOctetsMax)
  const limit = transport === 'tcp' ? tcpOctetsMax : Math.min(asked, udpOctetsMax)
  const whole = encode(header, question, edns, answer)
  if (whole.length <= limit) return whole
  // The addresses of a referral are its point (RFC 9471): without them it is not complete.
  if (answer.authoritative === true) {
    const bare = encode(header, question, edns, { ...answer, additionals: [] })
    if (bare.length <= limit) return bare
  }
  const { rcode, authoritative = false } = answer
  if (transport === 'tcp') return encode(header, question, edns, { rcode: rcodes.serverFailure })
  return encode(header, question, edns, { rcode, authoritative, truncated: true })
}
