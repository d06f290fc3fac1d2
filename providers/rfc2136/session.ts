/**
 * Signed questions to one name server and what its answers prove: UPDATE (RFC 2136), SOA, and zone transfers (RFC 5936).
 * An answer without a signature that holds proves nothing: a read then fails, an UPDATE is then `lost`.
 */
import type { Clock } from '../../agent/core/clock.ts'
import {
  codeName,
  type DnsRecord,
  encodeQuery,
  parseMessage,
  queryTypes,
  responseCodes,
} from '../../agent/standards/dns-message.ts'
import { encodeUpdate, type Update } from '../../agent/standards/dns-update.ts'
import {
  createStreamVerifier,
  signMessage,
  type TsigKey,
  type Verdict,
  verifyAnswer,
} from '../../agent/standards/tsig.ts'
import { ProviderFailure } from '../provider.ts'
import type { Asked, DnsClient } from './client.ts'
import { createGate } from './gate.ts'

const transferRecordsMax = 500_000 // some 100 MB; a zone of mail domains has dozens

const readsAgainMax = 4 // each of a few connections may have been closed in that moment

export type Limits = {
  /** UPDATEs and short questions on the way at once. */
  readonly questions: number
  /** BIND serves ten transfers at once by default, to everybody together. */
  readonly transfers: number
  readonly answerMs: number
  readonly transferMs: number
}

export type UpdateResult =
  | { readonly result: 'done' }
  | { readonly result: 'refused'; readonly rcode: number }
  | { readonly result: 'not-sent' | 'lost'; readonly failure: ProviderFailure }

export type SoaAnswer =
  | { readonly signed: true; readonly rcode: number; readonly authoritative: boolean }
  /** REFUSED or NOTAUTH without a signature, which is how Knot answers for zones that it has not: it proves nothing. */
  | { readonly signed: false; readonly failure: ProviderFailure }

export type Transfer =
  | { readonly result: 'zone'; readonly records: readonly DnsRecord[] }
  /** Signed by the server: it gives no such zone to us. */
  | { readonly result: 'refused'; readonly rcode: number }

export interface Session {
  readonly server: string
  update(update: Update): Promise<UpdateResult>
  /** @throws ProviderFailure */
  soa(zone: string, signal: AbortSignal): Promise<SoaAnswer>
  /** Every record, the SOA first and once. @throws ProviderFailure */
  transfer(zone: string, signal: AbortSignal): Promise<Transfer>
}

export type SessionParts = {
  readonly server: string
  readonly client: DnsClient
  readonly key: TsigKey
  readonly clock: Clock
  readonly limits: Limits
}

/** Told apart from the other failures by those who ask for zones that may not be there. */
class UnsignedRefusal extends ProviderFailure {}

export function createSession(parts: SessionParts): Session {
  const { server, client, key, clock, limits } = parts
  const questions = createGate(limits.questions)
  const transfers = createGate(limits.transfers)
  const times = { idleMs: limits.answerMs, totalMs: limits.answerMs }

  /** One message there, one back. The failure of an answer that proves nothing stands beside it. */
  async function exchange(build: (id: number) => Buffer): Promise<{ asked: Asked; answer: Answer | undefined }> {
    let mac: Buffer = Buffer.alloc(0)
    let answer: Answer | undefined
    const asked = await client.ask({
      ...times,
      build: id => {
        const signed = signMessage(build(id), key, clock.now())
        mac = signed.mac
        return signed.octets
      },
      take: octets => {
        const message = parseMessage(octets)
        answer = judgeAnswer(message, verifyAnswer(octets, key, mac, clock.now(), message))
        return 'done'
      },
    })
    return { asked, answer }
  }

  type Answer = ReturnType<typeof parseMessage> | ProviderFailure

  function judgeAnswer(message: ReturnType<typeof parseMessage>, verdict: Verdict): Answer {
    if (message?.response === true && verdict.verdict === 'verified') return message
    return unproven(verdict, message?.rcode)
  }

  function unproven(verdict: Verdict | { readonly verdict: 'pending' }, rcode: number | undefined): ProviderFailure {
    const unauthorized = (sentence: string) => new ProviderFailure('unauthorized', sentence, { retry: 'never' })
    if (verdict.verdict === 'refused') return unauthorized(refusalSentence(verdict))
    const authorityCodes: readonly number[] = [responseCodes.refused, responseCodes.notAuthoritative]
    if (verdict.verdict === 'unsigned' && rcode !== undefined && authorityCodes.includes(rcode))
      return new UnsignedRefusal(
        'unauthorized',
        `${server} answers ${codeName(rcode)} without a signature: it takes the key ${key.name} for nothing, or its clock and ours differ`,
        { retry: 'never' },
      )
    const why = verdict.verdict === 'bad' ? verdict.detail : 'it is not signed'
    return new ProviderFailure('malformed-reply', `an answer of ${server} proves nothing: ${why}`, { retry: 'later' })
  }

  function refusalSentence(verdict: Verdict & { readonly verdict: 'refused' }): string {
    switch (verdict.error) {
      case 'BADKEY':
        return `${server} does not know the key ${key.name} with ${key.algorithm}, or allows it nothing here`
      case 'BADSIG':
      case 'BADTRUNC':
        return `the secret of the key ${key.name} is not the one that ${server} has`
      case 'BADTIME': {
        const apart =
          verdict.serverSeconds === null
            ? ''
            : ` by ${Math.round(Math.abs(clock.now() / 1000 - verdict.serverSeconds))} s`
        return `the clock of ${server} and ours differ${apart}: signatures hold for 300 s`
      }
    }
  }

  /** A read is harmless when repeated: a server may close an idle connection in the moment in which it is used. */
  async function read<T extends Asked>(attempt: () => Promise<T>): Promise<T> {
    let asked = await attempt()
    for (let again = 0; again < readsAgainMax; again += 1) {
      if (asked.result !== 'lost' || asked.failure.kind !== 'unreachable') break
      asked = await attempt()
    }
    return asked
  }

  function stopWhenAborted(signal: AbortSignal): void {
    if (signal.aborted)
      throw new ProviderFailure('timeout', 'reading the zones was broken off', { retry: 'later', cause: signal.reason })
  }

  async function transferOnce(zone: string): Promise<Asked & { transfer?: Transfer }> {
    const stream = { verifier: createStreamVerifier(key, Buffer.alloc(0)), records: [] as DnsRecord[] }
    let outcome: Transfer | ProviderFailure | undefined
    const asked = await client.ask({
      idleMs: limits.answerMs,
      totalMs: limits.transferMs,
      build: id => {
        const signed = signMessage(encodeQuery(id, zone, queryTypes.axfr), key, clock.now())
        stream.verifier = createStreamVerifier(key, signed.mac)
        return signed.octets
      },
      take: octets => {
        outcome = takeTransferMessage(zone, octets, stream)
        return outcome === undefined ? 'more' : 'done'
      },
    })
    if (asked.result !== 'answered') return asked
    if (outcome instanceof ProviderFailure) throw outcome
    return outcome === undefined ? asked : { ...asked, transfer: outcome }
  }

  type Stream = { readonly verifier: ReturnType<typeof createStreamVerifier>; readonly records: DnsRecord[] }

  /** Undefined while more is to come. */
  function takeTransferMessage(zone: string, octets: Buffer, stream: Stream): Transfer | ProviderFailure | undefined {
    const message = parseMessage(octets)
    const verdict = stream.verifier.take(octets, clock.now(), message)
    if (message?.response !== true || (verdict.verdict !== 'verified' && verdict.verdict !== 'pending'))
      return unproven(verdict, message?.rcode)
    const malformed = (why: string) =>
      new ProviderFailure('malformed-reply', `the transfer of ${zone} from ${server} ${why}`, { retry: 'later' })
    if (message.rcode !== responseCodes.noError)
      return verdict.verdict === 'verified'
        ? { result: 'refused', rcode: message.rcode }
        : unproven(verdict, message.rcode)
    const { records } = stream
    for (const [index, record] of message.answers.entries()) {
      const bounds = record.type === queryTypes.soa && record.owner === zone
      if (records.length === 0 && !bounds) return malformed('does not begin with its SOA')
      if (records.length > 0 && bounds) {
        // RFC 5936 section 2.2: it ends with the SOA that it began with, and nothing follows.
        if (index !== message.answers.length - 1 || !record.rdata.equals(records[0]?.rdata ?? Buffer.alloc(0)))
          return malformed('ends with another SOA than it began with')
        // What stands after the last signature is proven by nothing (RFC 8945 section 5.3.1).
        return verdict.verdict === 'verified' ? { result: 'zone', records } : malformed('ends without a signature')
      }
      records.push(record)
      if (records.length > transferRecordsMax) return malformed(`has more than ${transferRecordsMax} records`)
    }
    return undefined
  }

  return {
    server,
    update: update =>
      questions(async () => {
        const { asked, answer } = await exchange(id => encodeUpdate(id, update))
        if (asked.result !== 'answered') return asked
        if (answer === undefined || answer instanceof ProviderFailure) {
          const failure =
            answer ?? new ProviderFailure('malformed-reply', `${server} gave no answer`, { retry: 'later' })
          return { result: 'lost', failure }
        }
        return answer.rcode === responseCodes.noError ? { result: 'done' } : { result: 'refused', rcode: answer.rcode }
      }),
    soa: (zone, signal) =>
      questions(async () => {
        stopWhenAborted(signal)
        let answer: Answer | undefined
        const asked = await read(async () => {
          const exchanged = await exchange(id => encodeQuery(id, zone, queryTypes.soa))
          answer = exchanged.answer
          return exchanged.asked
        })
        if (asked.result !== 'answered') throw asked.failure
        if (answer instanceof UnsignedRefusal) return { signed: false, failure: answer }
        if (answer instanceof ProviderFailure) throw answer
        const own = answer?.answers.some(({ owner, type }) => owner === zone && type === queryTypes.soa) === true
        return {
          signed: true,
          rcode: answer?.rcode ?? responseCodes.serverFailure,
          authoritative: own && answer?.authoritative === true,
        }
      }),
    transfer: (zone, signal) =>
      transfers(async () => {
        stopWhenAborted(signal)
        const asked = await read(() => transferOnce(zone))
        if (asked.result !== 'answered') throw asked.failure
        if (!('transfer' in asked) || asked.transfer === undefined)
          throw new ProviderFailure('malformed-reply', `${server} gave no zone`, { retry: 'later' })
        return asked.transfer
      }),
  }
}
