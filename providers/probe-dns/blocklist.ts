/** Asks a DNS blocklist about one subject, through the resolver that is configured. Unknown is an answer; it never throws. */
import { codeName, responseCodes } from '../../agent/standards/dns-message.ts'
import { judgeAnswer, listName } from '../../agent/standards/dnsbl.ts'
import type { BlocklistAnswer, Blocklists } from '../provider.ts'
import { ask, type NameServer } from './ask.ts'

/** Lists answer in milliseconds; who is silent for so long is asked again in an hour. */
const answerMs = 5_000

export function blocklists(resolver: NameServer): Blocklists {
  return {
    async ask(zone, subject, signal): Promise<BlocklistAnswer> {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
      try {
        const question = { name: listName(subject, zone), type: 'A', recursion: 'desired' } as const
        const { rcode, answers } = await ask(resolver, question, deadline)
        if (rcode !== responseCodes.noError && rcode !== responseCodes.nameError)
          return { result: 'unknown', detail: codeName(rcode) }
        return judgeAnswer(answers.filter(({ type }) => type === 'A').map(({ value }) => value))
      } catch (error) {
        return { result: 'unknown', detail: error instanceof Error ? error.message : String(error) }
      }
    },
  }
}
