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
import { ProviderFailure } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { account, directorySample, domain, names } from '../conformance/samples.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { isPaged, isSearch, isWrite, operations, resultFor, type Script, startTwin, type Twin } from '../twins/ldap.ts'
import { answers, isOf, type Lie, lies, refuses, through } from '../twins/ldap-lies.ts'
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

  test('one that says done of what it left, or busy of what it did, is believed until the next pass, since nobody could know', async () => {
    await using directory = openOver(slapd, { url: twin.url })
    twin.script = refuses(0, isWrite)()
    expect(await apply(directory, [update(u0, { quotaBytes: 7 })])).toMatchObject([{ result: 'applied' }])
    twin.script = answers((_, request) => (isWrite(request) && request ? [resultFor(request, 51)] : undefined))()
    expect(await apply(directory, [update(u2, { quotaBytes: 7 })])).toMatchObject([{ result: 'failed' }])
    twin.script = {}
    const target = estate.map(one => (one.key === u0.key || one.key === u2.key ? { ...one, quotaBytes: 7 } : one))
    // The first is found undone, and the second done.
    expect((await pass(directory, target)).outcomes).toMatchObject([{ ref: { key: u0.key }, result: 'applied' }])
    expect(truthOf(slapd).get(u0.key)?.resource).toMatchObject({ quotaBytes: 7 })
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
      return through(message)
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
            : through(message),
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
        return isSearch(message) && searches % 4 === 0 ? 'cut' : through(message)
      },
      toClient: async message => {
        await new Promise(resolve => setImmediate(resolve))
        return through(message)
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
