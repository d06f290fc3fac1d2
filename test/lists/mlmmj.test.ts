/** The provider of mlmmj on real lists; mlmmj's own programs are the judge of what stands. */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Address } from '../../agent/model/name.ts'
import type { ListMember } from '../../agent/model/resource.ts'
import { refOf } from '../../agent/model/resource.ts'
import { openMlmmj } from '../../providers/mlmmj/mlmmj.ts'
import { type MarkedChange, ProviderFailure } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { describeServers } from '../servers/suite.ts'
import { type MlmmjLists, makeLists, whyNoMlmmj } from './mlmmj-lists.ts'
import { changes, editNote, foreigner, incidents, listSample, lists, member } from './sample.ts'

const never = new AbortController().signal
const cause = { why: 'manifest', source: null } as const
const joining = (resource: ListMember): MarkedChange<ListMember> => ({
  mark: `mark of ${resource.key}`,
  change: { action: 'create', ref: refOf(resource), before: null, after: resource, ...cause },
})
const leaving = (resource: ListMember): MarkedChange<ListMember> => ({
  mark: `mark of ${resource.key}`,
  change: { action: 'delete', ref: refOf(resource), before: resource, after: null, ...cause },
})

describeServers('mlmmj', whyNoMlmmj, () => {
  const made: MlmmjLists[] = []
  const make = () => {
    const one = makeLists(lists)
    made.push(one)
    return { ...one, provider: openMlmmj({ folder: one.root, lists }) }
  }
  afterEach(() => {
    for (const one of made.splice(0)) one.remove()
  })
  type Made = ReturnType<typeof make>
  const marksOf = (one: Made, list: Address) => join(one.folderOf(list), 'control/mailwarden-marks')
  const results = async (one: Made, ...marked: MarkedChange<ListMember>[]) =>
    (await Array.fromAsync(one.provider.apply(marked, never))).map(({ result }) => result)

  testProvider<ListMember>({
    name: 'mlmmj',
    sample: listSample,
    open: async () => {
      const one = make()
      return {
        provider: one.provider,
        writeBehind: async (resource, value) => {
          if (value === null) one.unsubscribe(resource.list, resource.address)
          else if (!editNote(marksOf(one, resource.list), value)) one.subscribe(resource.list, resource.address)
        },
        close: async () => {},
      }
    },
    reopen: async ({ provider }) => openMlmmj({ folder: provider.target.split(/[: ]/)[1] ?? '', lists }),
    skip: [],
  })

  test('mlmmj sees who joined and not who left, and 500 foreign members stay byte by byte', async () => {
    const one = make()
    const file = join(one.folderOf(changes), 'subscribers.d/f')
    // As somebody wrote it by hand: capitals, and no end of the last line.
    const foreign = Array.from({ length: 500 }, (_, index) => `f${index}.Ajena@Third.example`)
    writeFileSync(file, foreign.join('\n'), { mode: 0o640 })
    chmodSync(file, 0o640)
    const before = one.members(changes)
    expect(before.length).toBe(500)
    const ours = ['felix@hcg.example', 'fina@hcg.example', 'zoe@hcg.example'].map(address => member(changes, address))
    expect(await results(one, ...ours.map(joining))).toEqual(['applied', 'applied', 'applied'])
    expect(one.members(changes)).toEqual([...before, ...ours.map(({ address }) => address)].sort())
    expect(statSync(file).mode & 0o777).toBe(0o640)
    const observed = await one.provider.observe('all', never)
    expect(observed.filter(({ mark }) => mark === null).length).toBe(500)
    expect(await results(one, ...ours.map(leaving))).toEqual(['applied', 'applied', 'applied'])
    expect(one.members(changes)).toEqual(before)
    expect(readFileSync(file, 'utf8')).toBe(`${foreign.join('\n')}\n`)
    expect(readdirSync(join(one.folderOf(changes), 'subscribers.d'))).toEqual(['f'])
    expect(readdirSync(join(one.folderOf(changes), 'control')).sort()).toEqual([
      'listaddress',
      'mailwarden-marks',
      'owner',
    ])
  })

  test('who takes the digest or no mail is a member, and leaves like one', async () => {
    const one = make()
    const [ana, eva] = [member(changes, 'ana@hcg.example'), member(changes, 'eva@hcg.example')] as const
    expect(await results(one, joining(ana), joining(eva))).toEqual(['applied', 'applied'])
    one.unsubscribe(changes, ana.address)
    one.subscribe(changes, ana.address, '-d')
    one.unsubscribe(changes, eva.address)
    one.subscribe(changes, eva.address, '-n')
    const marked = await one.provider.observe('all', never)
    expect(marked.map(({ resource, mark }) => [resource, mark !== null])).toEqual([
      [ana, true],
      [eva, true],
    ])
    expect(await results(one, leaving(ana), leaving(eva))).toEqual(['applied', 'applied'])
    expect(one.members(changes)).toEqual([])
  })

  test('cut between the mark and the seat: nobody is a member, and the next pass makes it whole', async () => {
    const one = make()
    const ana = member(changes, 'ana@hcg.example')
    expect(await results(one, joining(ana))).toEqual(['applied'])
    // What a crash before the second write leaves.
    one.unsubscribe(changes, ana.address)
    expect(readFileSync(marksOf(one, changes), 'utf8')).toContain(ana.address)
    expect(await one.provider.observe('all', never)).toEqual([])
    expect(await results(one, joining(ana))).toEqual(['applied'])
    expect(one.members(changes)).toEqual([ana.address])
    // A mark without a seat goes with the next writing.
    one.unsubscribe(changes, ana.address)
    expect(await results(one, joining(member(changes, 'eva@hcg.example')))).toEqual(['applied'])
    expect(readFileSync(marksOf(one, changes), 'utf8')).not.toContain(ana.address)
  })

  test('a part of the estate shows no members and asks no list', async () => {
    const provider = openMlmmj({ folder: '/nowhere', lists })
    expect(await provider.observe({ domains: ['hcg.example'] }, never)).toEqual([])
    await expect(provider.observe('all', never)).rejects.toMatchObject({ kind: 'rejected' })
  })

  test('what cannot be read whole is a failure, never an empty list', async () => {
    const one = make()
    const ana = member(incidents, 'ana@hcg.example')
    expect(await results(one, joining(ana))).toEqual(['applied'])
    const failure = async () => {
      const error = await one.provider.observe('all', never).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ProviderFailure)
      expect(await results(one, leaving(ana))).toEqual(['failed'])
      return (error as ProviderFailure).kind
    }
    const text = readFileSync(marksOf(one, incidents), 'utf8')
    writeFileSync(marksOf(one, incidents), text.slice(0, -5))
    expect(await failure()).toBe('malformed-reply')
    writeFileSync(marksOf(one, incidents), text)
    const digesters = join(one.folderOf(incidents), 'digesters.d')
    renameSync(digesters, `${digesters}.away`)
    expect(await failure()).toBe('rejected')
    renameSync(`${digesters}.away`, digesters)
    const control = join(one.folderOf(incidents), 'control')
    renameSync(join(control, 'listaddress'), join(control, 'away'))
    expect(await failure()).toBe('rejected')
    renameSync(join(control, 'away'), join(control, 'listaddress'))
    expect(await results(one, leaving(ana))).toEqual(['applied'])
  })

  test('an unwritable place fails, its neighbours are done, and no mark is left on nobody', async () => {
    const one = make()
    // Root may write everywhere, so a folder stands where the file should.
    mkdirSync(join(one.folderOf(changes), 'control/mailwarden-aside'))
    const ana = member(changes, 'ana@hcg.example')
    expect(await results(one, joining(ana), joining(member(incidents, 'ana@hcg.example')))).toEqual([
      'failed',
      'applied',
    ])
    expect(one.members(changes)).toEqual([])
    expect(readFileSync(marksOf(one, changes), 'utf8')).not.toContain(ana.address)
    expect(existsSync(join(one.folderOf(changes), 'subscribers.d/a'))).toBe(false)
  })

  test('somebody on the list by themselves is not taken off, nor made ours', async () => {
    const one = make()
    one.subscribe(changes, 'Ana@hcg.example')
    const ana = member(changes, 'ana@hcg.example')
    expect(await results(one, joining(ana))).toEqual(['conflict'])
    expect(await results(one, leaving(ana))).toEqual(['conflict'])
    expect(await one.provider.observe('all', never)).toEqual([
      { resource: foreigner(changes, 'ana@hcg.example'), mark: null },
    ])
    expect(one.members(changes)).toEqual(['ana@hcg.example'])
  })

  test('who subscribes by mail while we write is not lost', async () => {
    const one = make()
    const theirs: string[] = []
    let done = false
    const subscribe = (address: string) =>
      new Promise(resolve => {
        theirs.push(address)
        const args = ['-L', one.folderOf(changes), '-a', address, '-f', '-s', '-q']
        spawn('/usr/bin/mlmmj-sub', args, { stdio: 'ignore' }).once('exit', resolve)
      })
    const subscribing = Promise.all(
      [0, 1, 2].map(async part => {
        for (let count = 0; !done; count += 1) {
          await subscribe(`a${count}.${part}@third.example`)
          // The end of one process and the start of the next would leave the loop no turn for files.
          await setImmediate()
        }
      }),
    )
    const ours = member(changes, 'ana@hcg.example')
    const told: string[] = []
    for (let round = 0; round < 3; round += 1)
      told.push(...(await results(one, joining(ours))), ...(await results(one, leaving(ours))))
    done = true
    await subscribing
    expect(theirs.length).toBeGreaterThan(16)
    expect(one.members(changes)).toEqual(theirs.toSorted())
    expect(new Set(told)).toEqual(new Set(['applied']))
  })

  test('what mlmmj cannot hold is said before', () => {
    const { provider } = make()
    const codes = (address: string) => provider.check(member(changes, address)).map(({ code }) => code)
    expect(codes('ana@hcg.example')).toEqual([])
    expect(codes('/ana@hcg.example')).toEqual(['E-LIST-MEMBER'])
    expect(codes(changes)).toEqual(['E-LIST-MEMBER'])
  })
})
