/** What breaks in between: a lost answer, a connection that ends, a slapd that dies. Told truthfully, and healed by the next pass. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import type { Change, Outcome } from '../../agent/model/change.ts'
import { markOf } from '../../agent/plan/ownership.ts'
import type { DirectoryResource } from '../../agent/standards/directory-resource.ts'
import type { LdapDirectory } from '../../providers/ldap/directory.ts'
import { account, domain } from '../conformance/samples.ts'
import { type Slapd, startSlapd, whyNoSlapd } from '../servers/slapd.ts'
import { describeServers } from '../servers/suite.ts'
import { assertionOid, isWrite, operations, startTwin, type Twin } from '../twins/ldap.ts'
import { apply, create, never, openOver, pass, remove, results, update } from './bench.ts'
import { accountDn } from './hand.ts'

const hcg = domain('hcg.example')
const accounts = Array.from({ length: 300 }, (_, index) => account(`u${index}@hcg.example`))
const estate = [hcg, ...accounts]

describeServers('a directory that breaks', whyNoSlapd, () => {
  let slapd: Slapd
  let twin: Twin
  let directory: LdapDirectory

  beforeEach(async () => {
    slapd = await startSlapd()
    twin = await startTwin(slapd.url)
    directory = openOver(slapd, { url: twin.url })
  })
  afterEach(async () => {
    await directory[Symbol.asyncDispose]()
    await twin.close()
    await slapd.close()
  })

  const flags = (status: string) => slapd.search(slapd.base, 'sub', `(mwDomainStatus=${status})`, '1.1').length

  /** Loses the answer to the write that names this, and everything else on its connection; what comes after goes well. */
  function loseAnswerTo(text: string): void {
    let lost = false
    twin.script = {
      toClient: (message, request) => {
        if (lost || !isWrite(request) || request?.octets.includes(text) !== true) return [message.octets]
        lost = true
        return 'cut'
      },
    }
  }

  test.each([
    ['create', () => [create(accounts[0]!)], accountDn('u0@hcg.example')],
    ['update', () => [update(accounts[1]!, { quotaBytes: 7 })], assertionOid],
    ['delete', () => [remove(accounts[1]!)], assertionOid],
  ] as const)(
    'an answer that is lost to a %s leaves it unknown, and the next pass finds what stands',
    async (action, changes, text) => {
      await apply(directory, [create(hcg), create(accounts[1]!)])
      loseAnswerTo(text)
      const outcomes = await apply(directory, changes())
      expect(results(outcomes)).toEqual(['unknown'])
      const wanted: Record<typeof action, readonly DirectoryResource[]> = {
        create: [hcg, accounts[0]!, accounts[1]!],
        update: [hcg, { ...accounts[1]!, quotaBytes: 7 }],
        delete: [hcg],
      }
      // The server had done it all: nothing is left to do, and nothing is done twice.
      expect((await pass(directory, wanted[action])).changes).toEqual([])
      expect((await directory.observe('all', never)).length).toBe(wanted[action].length)
    },
  )

  test('a read whose connection ended is asked once more, and is a failure when it ends again', async () => {
    await apply(directory, [create(hcg)])
    let ended = 0
    twin.script = {
      toClient: message => {
        ended += 1
        return ended === 1 ? 'cut' : [message.octets]
      },
    }
    expect((await directory.observe('all', never)).length).toBe(1)
    expect(ended).toBeGreaterThan(1)
    twin.script = { toClient: () => 'cut' }
    await expect(directory.observe('all', never)).rejects.toMatchObject({
      name: 'ProviderFailure',
      kind: 'unreachable',
    })
  })

  test('over StartTLS a connection that ended is not used again', async () => {
    await using secure = openOver(slapd, { url: twin.url, encryption: 'starttls', caFile: slapd.caFile })
    expect(results(await apply(secure, [create(hcg)]))).toEqual(['applied'])
    twin.script = { toClient: () => 'cut' }
    expect(results(await apply(secure, [create(accounts[0]!)]))).not.toContain('applied')
    twin.script = {}
    expect(results((await pass(secure, [hcg, accounts[0]!])).outcomes)).not.toContain('conflict')
    expect((await secure.observe('all', never)).length).toBe(2)
  })

  test('a walk that is cut leaves its domain closed and unknown, and the next pass ends it', async () => {
    expect(new Set(results(await apply(directory, estate.map(create))))).toEqual(new Set(['applied']))
    let writes = 0
    twin.script = {
      toServer: message => {
        if (isWrite(message) && message.octets.includes('suspended')) writes += 1
        return [message.octets]
      },
      toClient: message => (writes >= 60 ? 'cut' : [message.octets]),
    }
    const [cut] = await apply(directory, [update(hcg, { login: 'suspended' })])
    expect(cut).toMatchObject({ result: 'unknown', detail: expect.stringContaining('of its accounts are not yet') })
    expect(slapd.search(slapd.base, 'sub', '(mwLoginStatus=suspended)', '1.1').length).toBe(1)
    const done = flags('suspended')
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(accounts.length)
    twin.script = {}
    const held = [domain('hcg.example', { login: 'suspended' }), ...accounts]
    const { changes, outcomes } = await pass(directory, held)
    expect([changes.map(({ ref }) => ref.key), results(outcomes)]).toEqual([['hcg.example'], ['applied']])
    expect([flags('suspended'), flags('active')]).toEqual([accounts.length, 0])
  })

  test('an abort in the middle of a walk is told as such, and a later pass ends it', async () => {
    await apply(directory, estate.map(create))
    const stop = new AbortController()
    let writes = 0
    twin.script = {
      toServer: message => {
        if (isWrite(message) && message.octets.includes('suspended')) writes += 1
        if (writes > 20) stop.abort()
        return [message.octets]
      },
    }
    const [cut] = await apply(directory, [update(hcg, { login: 'suspended' })], stop.signal)
    expect(cut?.result).toBe('unknown')
    expect(flags('active')).toBeGreaterThan(0)
    twin.script = {}
    await pass(directory, [domain('hcg.example', { login: 'suspended' }), ...accounts])
    expect(flags('active')).toBe(0)
  })

  test('a server that is away fails at once, for all that was to be done', async () => {
    await apply(directory, [create(hcg)])
    await slapd.stop('SIGKILL')
    await expect(directory.observe('all', never)).rejects.toMatchObject({ kind: 'unreachable' })
    const outcomes = await apply(directory, accounts.map(create))
    expect(outcomes.length).toBe(accounts.length)
    // Those that were under way fail, the rest is not tried any more.
    expect(new Set(results(outcomes))).toEqual(new Set(['failed', 'skipped']))
    expect(outcomes.filter(({ result }) => result === 'failed').length).toBeLessThanOrEqual(32)
    await slapd.start()
    expect(new Set(results((await pass(directory, estate)).outcomes))).toEqual(new Set(['applied']))
  })

  test('a bind that is refused is not tried for each change', async () => {
    await apply(directory, [create(hcg)])
    let binds = 0
    twin.script = {
      toServer: message => {
        if (message.operation === operations.bind) binds += 1
        return [message.octets]
      },
    }
    await using wrong = openOver(slapd, { url: twin.url, password: new Secret('canary-wrong') })
    const outcomes = await apply(wrong, accounts.map(create))
    expect(new Set(results(outcomes))).toEqual(new Set(['failed', 'skipped']))
    expect(binds).toBeGreaterThan(0)
    expect(binds).toBeLessThanOrEqual(4)
    expect(JSON.stringify(outcomes)).not.toContain('canary')
  })

  test('slapd is killed in mid-apply, fifty times, and each next pass goes on to the same end', async () => {
    const more = Array.from({ length: 3_000 }, (_, index) => account(`v${index}@hcg.example`))
    const wanted = [hcg, ...more]
    const told: Record<Outcome['result'], number> = { applied: 0, failed: 0, skipped: 0, conflict: 0, unknown: 0 }
    let kills = 0
    for (let round = 0; round < 50; round += 1) {
      const changes: Change<DirectoryResource>[] = []
      const before = new Set((await directory.observe('all', never)).map(({ resource }) => resource.key))
      for (const resource of wanted) if (!before.has(resource.key)) changes.push(create(resource))
      const marked = changes.map(change => ({ change, mark: markOf('here', change.ref) }))
      const outcomes: Outcome[] = []
      let dying: Promise<void> | undefined
      for await (const outcome of directory.apply(marked, never)) {
        outcomes.push(outcome)
        if (outcomes.length === 20) dying = slapd.stop('SIGKILL')
      }
      if (dying !== undefined) kills += 1
      await dying
      for (const { result } of outcomes) told[result] += 1
      expect(outcomes.length).toBe(changes.length)
      await slapd.start()
      const standing = new Set((await directory.observe('all', never)).map(({ resource }) => resource.key))
      // What was told as applied stands, what was told as not begun or failed does not.
      for (const { ref, result } of outcomes) {
        if (result === 'applied') expect([ref.key, standing.has(ref.key)]).toEqual([ref.key, true])
        if (result === 'skipped' || result === 'failed')
          expect([ref.key, standing.has(ref.key)]).toEqual([ref.key, false])
      }
    }
    expect(kills).toBe(50)
    expect(told.conflict).toBe(0)
    expect(told.unknown).toBeGreaterThan(0)
    await pass(directory, wanted)
    expect((await pass(directory, wanted)).changes).toEqual([])
    expect(slapd.search(slapd.base, 'sub', '(objectClass=mwAccount)', '1.1').length).toBe(more.length)
  }, 60_000)
})
