/**
 * A lying slapd: for each lie, what the provider must say of a read and of writes, held against what `ldapsearch` shows
 * of the real server. A partial read is an error and never an absence, a cut reply is `unknown`, and the next pass over
 * an honest server ends where it should, without doubles and without harm to others.
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { canonicalJson } from '../../agent/core/digest.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { LdapDirectory, LdapOptions } from '../../providers/ldap/directory.ts'
import { type FailureKind, ProviderFailure } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { account, directorySample, domain, names } from '../conformance/samples.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
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
  startTwin,
  type Twin,
  unknownMessage,
  withCookie,
  withId,
  withoutAttribute,
  withoutControls,
} from '../twins/ldap.ts'
import { apply, create, never, openOver, pass, remove, update } from './bench.ts'
import { accountDn, byHand, domainDn, truthOf } from './hand.ts'

const hcg = domain('hcg.example')
const pop = domain('pop.example')
/** More than a page of entries. */
const people = Array.from({ length: 1_100 }, (_, index) => account(`u${index}@hcg.example`))
const [u0, u1, u2] = people as [(typeof people)[0], (typeof people)[0], (typeof people)[0]]
const readers = ['a', 'b', 'c'].map(name => account(`${name}@pop.example`))
const estate: readonly DirectoryResource[] = [hcg, pop, ...people, ...readers]
const foreign = [domain('foreign.example'), account('x@hcg.example', { aliases: names('held') })]

const changes: readonly Change<DirectoryResource>[] = [
  update(u0, { quotaBytes: 7, aliases: names('zero') }),
  create(account('new@hcg.example', { aliases: names('fresh') })),
  remove(u1),
  update(pop, { login: 'suspended' }),
]
const wanted = estate
  .filter(({ key }) => key !== u1.key && key !== u0.key && key !== pop.key)
  .concat(changes.flatMap(({ after }) => (after === null ? [] : [after])))
  .toSorted((a, b) => (a.kind === b.kind ? 0 : a.kind === 'domain' ? -1 : 1))

/** Silence is not waited out to its end. */
const impatient: Partial<LdapOptions> = { patience: { openMs: 2_000, answerMs: 300 } }

type Lie = {
  readonly script: () => Script
  /** What a read gives: all that stands, or a failure of this kind. */
  readonly read: 'truth' | FailureKind
  /** What may be said of a change; nothing but what the server bears out is ever said. */
  readonly say: readonly Outcome['result'][]
  readonly silent?: true
}

const pass1 = (message: Message): Passage => [message.octets]
const answers = (lie: (message: Message, request: Message | undefined) => Passage | undefined) => (): Script => ({
  toClient: (message, request) => lie(message, request) ?? pass1(message),
})
const refuses = (code: number, which: (request: Message) => boolean) => (): Script => ({
  instead: request => (which(request) ? [resultFor(request, code)] : undefined),
})
const isEntry = ({ operation }: Message) => operation === operations.entry
const isDone = ({ operation }: Message) => operation === operations.searchDone
const isOf = (message: Message, dn: string) => isEntry(message) && dnOf(message) === dn
const silence = () => new Promise<never>(() => {})
const done = ['applied'] as const
const lost = ['unknown', 'failed', 'skipped'] as const

const lies: Readonly<Record<string, Lie>> = {
  'drops an entry out of its pages': {
    script: answers((message, request) => (isPaged(request) && isOf(message, accountDn(u2.key)) ? [] : undefined)),
    read: 'truth',
    say: done,
  },
  'drops all entries of its first page, once': {
    script: () => {
      let first: Message | undefined
      return {
        toClient: (message, request) => {
          if (isPaged(request)) first ??= request
          return request === first && isEntry(message) && dnOf(message).startsWith('mail=') ? [] : pass1(message)
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
          if (ended || !isDone(message) || cookieOf(message) === undefined) return pass1(message)
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
          : pass1(request),
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
        return pass1(message)
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
    script: () => ({ toServer: message => (isWrite(message) ? [] : pass1(message)) }),
    read: 'truth',
    say: lost,
    silent: true,
  },
  'holds every answer back for ever': {
    script: () => ({ toClient: (message, request) => (isSearch(request) ? silence() : pass1(message)) }),
    read: 'unreachable',
    say: ['applied', ...lost],
    silent: true,
  },
  'cuts before a write gets there': {
    script: () => ({ toServer: message => (isWrite(message) ? 'cut' : pass1(message)) }),
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
      toClient: message => (isEntry(message) ? [message.octets.subarray(0, 20), 'cut'] : pass1(message)),
    }),
    read: 'unreachable',
    say: ['applied', ...lost],
  },
  'cuts each connection once it is bound': {
    script: () => ({ toServer: message => (message.operation === operations.bind ? pass1(message) : 'cut') }),
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
      isPaged(request) && isOf(message, accountDn(u2.key)) ? [unknownMessage(), message.octets] : undefined,
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

/** Said and not so: done and not there, or not done and there. `unknown` claims nothing. */
function belied(outcomes: readonly Outcome[], truth: ReturnType<typeof truthOf>): Outcome[] {
  return outcomes.filter(({ ref, result }) => {
    const change = changes.find(one => one.ref.key === ref.key)
    if (change === undefined || result === 'unknown') return false
    const stands = canonicalJson(truth.get(ref.key)?.resource ?? null)
    const isDomain = change.ref.kind === 'domain'
    const carried = new Set(isDomain ? readers.map(({ key }) => truth.get(key)?.carried.split(' ')[0]) : [])
    const walked = !isDomain || (carried.size === 1 && carried.has('suspended'))
    if (result === 'applied') return stands !== canonicalJson(change.after) || !walked
    // A domain whose own entry is written and whose walk was refused is told as failed, and is not as it was.
    return isDomain ? stands === canonicalJson(change.after) && walked : stands !== canonicalJson(change.before)
  })
}

describeServers('a lying slapd', whyNoSlapd, () => {
  let slapd: Slapd
  let twin: Twin
  let direct: LdapDirectory

  const resourcesOf = (truth: ReturnType<typeof truthOf>) => new Set([...truth.values()].map(one => canonicalJson(one)))
  const restore = async (target: readonly DirectoryResource[]) => {
    const truth = truthOf(slapd)
    const keys = new Set([...target, ...foreign].map(({ key }) => key))
    const left = [...truth.values()].filter(({ resource }) => !keys.has(resource.key))
    await apply(
      direct,
      left.map(({ resource }) => remove(resource)),
    )
    return pass(direct, target)
  }

  beforeAll(async () => {
    slapd = await startSlapd()
    twin = await startTwin(slapd.url)
    direct = openOver(slapd)
    await pass(direct, estate)
    for (const one of foreign) byHand(slapd, one, one)
  }, 30_000)
  beforeEach(async () => {
    twin.script = {}
    const { outcomes } = await restore(estate)
    expect(outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
  })
  afterAll(async () => {
    await direct?.[Symbol.asyncDispose]()
    await twin?.close()
    await slapd?.close()
  })

  test.each(Object.keys(lies))('one that %s', async name => {
    const lie = lies[name] as Lie
    const before = truthOf(slapd)
    const options = { url: twin.url, ...(lie.silent === true ? impatient : {}) }
    {
      await using directory = openOver(slapd, options)
      twin.script = lie.script()
      const seen = await directory.observe('all', never).catch((error: unknown) => error)
      if (lie.read === 'truth') {
        const found = (seen as Awaited<ReturnType<LdapDirectory['observe']>>).map(({ resource }) => resource)
        expect(new Set(found.map(canonicalJson))).toEqual(
          new Set([...before.values()].map(({ resource }) => canonicalJson(resource))),
        )
        expect(found.length).toBe(before.size)
      } else {
        expect(seen).toBeInstanceOf(ProviderFailure)
        expect(seen).toMatchObject({ kind: lie.read })
      }
    }
    await using directory = openOver(slapd, options)
    twin.script = lie.script()
    const outcomes = await apply(directory, changes)
    expect(outcomes.length).toBe(changes.length)
    expect(outcomes.filter(({ result }) => !lie.say.includes(result))).toEqual([])
    const truth = truthOf(slapd)
    expect(belied(outcomes, truth)).toEqual([])
    // What is in no change stands as it stood, others' entries above all.
    const named = new Set([...changes.map(({ ref }) => ref.key), ...readers.map(({ key }) => key)])
    const rest = (all: typeof truth) => new Map([...all].filter(([key]) => !named.has(key)))
    expect(rest(truth)).toEqual(rest(before))
    // The lies over, what is unknown is looked at and the rest is done, once.
    twin.script = {}
    await using honest = openOver(slapd, { url: twin.url })
    const gone = outcomes.filter(({ ref, result }) => ref.key === u1.key && result !== 'applied').length > 0
    if (gone) await apply(honest, [remove(u1)])
    const again = await pass(honest, wanted)
    expect(again.outcomes.filter(({ result }) => result !== 'applied')).toEqual([])
    const made = [...truthOf(slapd).values()].map(({ resource }) => resource)
    expect(new Set(made.map(canonicalJson))).toEqual(new Set([...wanted, ...foreign].map(canonicalJson)))
    expect(made.length).toBe(wanted.length + foreign.length)
    expect((await pass(honest, wanted)).changes).toEqual([])
    expect(resourcesOf(truthOf(slapd)).size).toBe(made.length)
  })

  test('one that leaves an entry out of every answer is believed, since nobody could know, and nothing is lost by it', async () => {
    await using directory = openOver(slapd, { url: twin.url })
    twin.script = answers((message, request) =>
      isOf(message, accountDn(u2.key)) && request?.octets.includes(accountDn(u2.key)) !== true ? [] : undefined,
    )()
    const seen = await directory.observe('all', never)
    expect(seen.length).toBe(estate.length + foreign.length - 1)
    // What seems to be gone would be made anew: the server says that it stands, and it is looked at.
    expect(await apply(directory, [create(u2)])).toMatchObject([{ result: 'applied' }])
    expect(await apply(directory, [create({ ...u2, quotaBytes: 9 })])).toMatchObject([{ result: 'conflict' }])
    expect(truthOf(slapd).get(u2.key)?.resource).toEqual(u2)
  })

  test('one that hides who goes by a name takes it from nobody', async () => {
    await using directory = openOver(slapd, { url: twin.url })
    const thief = create(account('thief@hcg.example', { aliases: names('held') }))
    expect(await apply(directory, [thief])).toMatchObject([{ result: 'conflict' }])
    twin.script = refuses(0, request => isSearch(request) && request.octets.includes('held@hcg.example'))()
    expect(await apply(directory, [thief])).toMatchObject([{ result: 'failed' }])
    expect(truthOf(slapd).has('thief@hcg.example')).toBe(false)
  })

  test('one that refuses StartTLS, or puts words before it, is not told the password', async () => {
    const secure = { url: twin.url, encryption: 'starttls', caFile: slapd.caFile } as const
    let heard = Buffer.alloc(0)
    const listen: Script['toServer'] = message => {
      heard = Buffer.concat([heard, message.octets])
      return pass1(message)
    }
    const scripts: Script[] = [
      {
        toServer: listen,
        instead: request => (request.operation === operations.extended ? [resultFor(request, 2)] : undefined),
      },
      {
        toServer: listen,
        toClient: (message, request) =>
          request?.operation === operations.extended
            ? [Buffer.concat([message.octets, resultFor(request, 0)])]
            : pass1(message),
      },
      {
        toServer: listen,
        instead: request => (request.operation === operations.extended ? [resultFor(request, 0)] : undefined),
      },
    ]
    for (const script of scripts) {
      await using directory = openOver(slapd, secure)
      twin.script = script
      await expect(directory.observe('all', never)).rejects.toBeInstanceOf(ProviderFailure)
    }
    expect(heard.includes('canary')).toBe(false)
    twin.script = { toServer: listen }
    await using directory = openOver(slapd, secure)
    expect((await directory.observe('all', never)).length).toBe(estate.length + foreign.length)
    expect(heard.includes('canary')).toBe(false)
  })

  test('a domain that was walked over missing accounts is not called done', async () => {
    await using directory = openOver(slapd, { url: twin.url })
    const dn = accountDn('b@pop.example')
    twin.script = answers((message, request) => (isPaged(request) && isOf(message, dn) ? [] : undefined))()
    expect(await apply(directory, [update(pop, { login: 'suspended' })])).toMatchObject([{ result: 'applied' }])
    expect(slapd.search(domainDn('pop.example'), 'sub', '(mwDomainStatus=suspended)', '1.1').length).toBe(3)
  })
})

describeServers('a slapd that is slow, in pieces and flapping', whyNoSlapd, () => {
  let latest: { slapd: Slapd; twin: Twin } | undefined
  /** Reads that are cut are asked again; with one request a connection at a time, nothing else is cut with them. */
  const limits = { connections: 2, inFlight: 1 }
  const hard = (): Script => {
    let searches = 0
    return {
      pieces: 9,
      turnsAway: connection => connection % 3 === 2,
      toServer: message => {
        if (isSearch(message)) searches += 1
        return isSearch(message) && searches % 4 === 0 ? 'cut' : pass1(message)
      },
      toClient: async message => {
        await new Promise(resolve => setImmediate(resolve))
        return pass1(message)
      },
    }
  }
  testProvider<DirectoryResource>({
    name: 'the directory behind it',
    skip: [],
    async open() {
      const slapd = await startSlapd()
      const twin = await startTwin(slapd.url)
      twin.script = hard()
      latest = { slapd, twin }
      return {
        provider: openOver(slapd, { url: twin.url, limits }),
        writeBehind: async (resource, value) => byHand(slapd, resource, value),
        close: async () => {
          await twin.close()
          await slapd.close()
        },
      }
    },
    sample: directorySample,
    reopen: async () => {
      const { slapd, twin } = latest as NonNullable<typeof latest>
      return openOver(slapd, { url: twin.url, limits })
    },
  })
})
