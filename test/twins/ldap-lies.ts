/**
 * The lies of a lying slapd, and what the provider must say of each: of a read, and of writes. Data over the twin
 * (`ldap.ts`); `test/ldap/twin.test.ts` holds what is said against what stands.
 */
import type { Outcome } from '../../agent/model/change.ts'
import type { FailureKind } from '../../providers/provider.ts'
import { accountDn } from '../ldap/hand.ts'
import {
  asLastPage,
  cookieOf,
  dnOf,
  isPaged,
  isSearch,
  isWrite,
  type Message,
  noticeOfDisconnection,
  operations,
  type Passage,
  referralFor,
  resultFor,
  type Script,
  unknownMessage,
  withCookie,
  withId,
  withoutAttribute,
  withoutControls,
} from './ldap.ts'

/** An account whose entry some of them pick on. */
export const pickedOn = 'u2@hcg.example'
const aPerson = accountDn(pickedOn)

export type Lie = {
  readonly script: () => Script
  /** What a read gives: all that stands, or a failure of this kind. */
  readonly read: 'truth' | FailureKind
  /** What may be said of a change; nothing but what the server bears out is ever said. */
  readonly say: readonly Outcome['result'][]
  readonly silent?: true
}

export const through = (message: Message): Passage => [message.octets]
export const answers =
  (lie: (message: Message, request: Message | undefined) => Passage | undefined) => (): Script => ({
    toClient: (message, request) => lie(message, request) ?? through(message),
  })
export const refuses = (code: number, which: (request: Message) => boolean) => (): Script => ({
  instead: request => (which(request) ? [resultFor(request, code)] : undefined),
})
export const isEntry = ({ operation }: Message) => operation === operations.entry
const isDone = ({ operation }: Message) => operation === operations.searchDone
export const isOf = (message: Message, dn: string) => isEntry(message) && dnOf(message) === dn
const silence = () => new Promise<never>(() => {})
const done = ['applied'] as const
const lost = ['unknown', 'failed', 'skipped'] as const

export const lies: Readonly<Record<string, Lie>> = {
  'drops an entry out of its pages': {
    script: answers((message, request) => (isPaged(request) && isOf(message, aPerson) ? [] : undefined)),
    read: 'truth',
    say: done,
  },
  'drops all entries of its first page, once': {
    script: () => {
      let first: Message | undefined
      return {
        toClient: (message, request) => {
          if (isPaged(request)) first ??= request
          return request === first && isEntry(message) && dnOf(message).startsWith('mail=') ? [] : through(message)
        },
      }
    },
    read: 'truth',
    say: done,
  },
  'ends a search before its last page, once': {
    script: () => {
      let ended = false
      return {
        toClient: message => {
          if (ended || !isDone(message) || cookieOf(message) === undefined) return through(message)
          ended = true
          return [asLastPage(message)]
        },
      }
    },
    read: 'truth',
    say: done,
  },
  'ends each search before its last page': {
    script: answers(message =>
      isDone(message) && cookieOf(message) !== undefined ? [asLastPage(message)] : undefined,
    ),
    read: 'malformed-reply',
    say: done,
  },
  'does not say whether a page was the last': {
    script: answers((message, request) =>
      isDone(message) && isPaged(request) ? [withoutControls(message)] : undefined,
    ),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'begins with an empty page, as it may': {
    script: () => ({
      instead: request =>
        isPaged(request) && cookieOf(request) === undefined
          ? [withCookie({ ...request, octets: resultFor(request, 0) }, Buffer.from('go on'))]
          : undefined,
      toServer: request =>
        isPaged(request) && cookieOf(request)?.toString() === 'go on'
          ? [withCookie(request, Buffer.alloc(0), 1_000)]
          : through(request),
    }),
    read: 'truth',
    say: done,
  },
  'gives pages without end': {
    script: () => ({
      instead: request =>
        isPaged(request) ? [withCookie({ ...request, octets: resultFor(request, 0) }, Buffer.from('more'))] : undefined,
    }),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'finds nothing, with success': {
    script: refuses(0, isSearch),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'has empty pages, with success': {
    script: refuses(0, isPaged),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'gives each entry twice': {
    script: answers((message, request) =>
      isEntry(message) && isPaged(request) ? [message.octets, message.octets] : undefined,
    ),
    read: 'truth',
    say: done,
  },
  'gives the entry that was asked for, and another': {
    script: answers((message, request) =>
      isEntry(message) && !isPaged(request) && dnOf(message).startsWith('mail=')
        ? [message.octets, message.octets]
        : undefined,
    ),
    read: 'truth',
    say: ['applied', 'failed'],
  },
  'hides the change number of entries': {
    script: answers(message => (isEntry(message) ? [withoutAttribute(message, 'entryCSN')] : undefined)),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'hides an attribute that entries must have': {
    script: answers(message => (isEntry(message) ? [withoutAttribute(message, 'mwAccountStatus')] : undefined)),
    read: 'malformed-reply',
    say: ['applied', 'failed', 'unknown'],
  },
  'hides marks': {
    script: answers(message => (isEntry(message) ? [withoutAttribute(message, 'mwMark')] : undefined)),
    read: 'truth',
    say: ['conflict'],
  },
  'is over its size limit': { script: refuses(4, isSearch), read: 'rejected', say: ['applied', 'failed'] },
  'is over its time limit': { script: refuses(3, isSearch), read: 'timeout', say: ['applied', 'failed'] },
  'is busy with reads': { script: refuses(51, isSearch), read: 'unreachable', say: ['applied', 'failed'] },
  'is unavailable for reads': { script: refuses(52, isSearch), read: 'unreachable', say: ['applied', 'failed'] },
  'is unavailable for writes': { script: refuses(52, isWrite), read: 'truth', say: ['failed'] },
  'does nothing, and gives a code nobody knows': { script: refuses(123, isWrite), read: 'truth', say: ['failed'] },
  'refers writes elsewhere': {
    script: () => ({
      instead: request => (isWrite(request) ? [referralFor(request, 'ldap://other.example/')] : undefined),
    }),
    read: 'truth',
    say: ['failed'],
  },
  'takes its time': {
    script: () => ({
      toClient: async message => {
        await new Promise(resolve => setImmediate(resolve))
        return through(message)
      },
      pieces: 1_000,
    }),
    read: 'truth',
    say: done,
  },
  'is silent after the work': {
    script: answers((_, request) => (isWrite(request) ? [] : undefined)),
    read: 'truth',
    say: lost,
    silent: true,
  },
  'swallows every write': {
    script: () => ({ toServer: message => (isWrite(message) ? [] : through(message)) }),
    read: 'truth',
    say: lost,
    silent: true,
  },
  'holds every answer back for ever': {
    script: () => ({ toClient: (message, request) => (isSearch(request) ? silence() : through(message)) }),
    read: 'unreachable',
    say: ['applied', ...lost],
    silent: true,
  },
  'cuts before a write gets there': {
    script: () => ({ toServer: message => (isWrite(message) ? 'cut' : through(message)) }),
    read: 'truth',
    say: lost,
  },
  'cuts after the work': {
    script: answers((_, request) => (isWrite(request) ? 'cut' : undefined)),
    read: 'truth',
    say: lost,
  },
  'cuts in the middle of an entry': {
    script: () => ({
      toClient: message => (isEntry(message) ? [message.octets.subarray(0, 20), 'cut'] : through(message)),
    }),
    read: 'unreachable',
    say: ['applied', ...lost],
  },
  'cuts each connection once it is bound': {
    script: () => ({ toServer: message => (message.operation === operations.bind ? through(message) : 'cut') }),
    read: 'unreachable',
    say: lost,
  },
  'answers under another number': {
    script: answers(message => [withId(message, message.id + 1_000)]),
    read: 'unreachable',
    say: lost,
  },
  'answers writes under another number': {
    script: answers((message, request) => (isWrite(request) ? [withId(message, message.id + 1_000)] : undefined)),
    read: 'truth',
    say: lost,
  },
  'answers another kind of request': {
    script: answers((_, request) =>
      isWrite(request) && request !== undefined
        ? [resultFor({ ...request, operation: operations.search }, 0)]
        : undefined,
    ),
    read: 'truth',
    say: lost,
  },
  'gives results without a code': {
    script: answers((message, request) =>
      isWrite(request) ? [Buffer.from([0x30, 5, 0x02, 1, message.id, message.operation, 0])] : undefined,
    ),
    read: 'truth',
    say: lost,
  },
  'says that it disconnects, and goes on': {
    script: answers((message, request) => (isWrite(request) ? [noticeOfDisconnection(), message.octets] : undefined)),
    read: 'truth',
    say: lost,
  },
  'mixes a message that nobody knows into its entries': {
    script: answers((message, request) =>
      isPaged(request) && isOf(message, aPerson) ? [unknownMessage(), message.octets] : undefined,
    ),
    read: 'unreachable',
    say: ['applied', 'failed', 'skipped', 'unknown'],
  },
  'sends noise before its answers': {
    script: answers(message => [Buffer.alloc(7, 0xff), message.octets]),
    read: 'unreachable',
    say: lost,
  },
  'turns every third connection away': {
    script: () => ({ turnsAway: connection => connection % 3 === 1 }),
    read: 'truth',
    say: done,
  },
  'turns all connections away': { script: () => ({ turnsAway: () => true }), read: 'unreachable', say: lost },
}
