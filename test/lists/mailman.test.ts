/** The provider of Mailman 3 on a real REST runner; a server of lies stands in only for what a sound one never does. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Secret } from '../../agent/core/secret.ts'
import type { Address } from '../../agent/model/name.ts'
import { type ListMember, refOf } from '../../agent/model/resource.ts'
import { openMailman } from '../../providers/mailman/mailman.ts'
import type { MarkedChange } from '../../providers/provider.ts'
import { testProvider } from '../conformance/provider.suite.ts'
import { describeServers } from '../servers/suite.ts'
import { type MailmanServer, startMailman, whyNoMailman } from './mailman-server.ts'
import { changes, editNote, listSample, lists, member } from './sample.ts'

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

describeServers('Mailman', whyNoMailman, () => {
  let server: MailmanServer
  const folders: string[] = []
  const idOf = (list: Address) => list.replace('@', '.')
  const marksOf = (folder: string, list: Address) => join(folder, `${encodeURIComponent(list)}.marks`)

  beforeAll(async () => {
    server = await startMailman()
    expect((await server.call('POST', '/domains', [['mail_host', 'lists.example']]))[0]).toBe(201)
  })
  afterAll(() => server.stop())
  afterEach(async () => {
    for (const list of lists) await server.call('DELETE', `/lists/${list}`)
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
  })

  const open = (marksFolder: string, over: { url?: string; password?: string } = {}) =>
    openMailman({
      url: over.url ?? server.url,
      user: 'restadmin',
      password: new Secret(over.password ?? server.password),
      caFile: null,
      marksFolder,
      lists,
    })
  const make = async (over: { url?: string; password?: string } = {}) => {
    for (const list of lists)
      if (over.url === undefined) expect((await server.call('POST', '/lists', [['fqdn_listname', list]]))[0]).toBe(201)
    const folder = mkdtempSync('/tmp/mw-marks-')
    folders.push(folder)
    return { folder, provider: await open(folder, over) }
  }
  const subscribe = async (list: Address, address: string) => {
    const form = [
      ['list_id', idOf(list)],
      ['subscriber', address],
      ...['pre_verified', 'pre_confirmed', 'pre_approved'].map(name => [name, 'true'] as const),
    ] as const
    expect((await server.call('POST', '/members', form))[0]).toBe(201)
  }
  const roster = async (list: Address): Promise<string[]> => {
    const [, { entries = [] }] = await server.call('GET', `/lists/${list}/roster/member?fields=email`)
    return entries.map(({ email }: { email: string }) => email).sort()
  }
  type Made = Awaited<ReturnType<typeof make>>
  const apply = ({ provider }: Made, ...marked: MarkedChange<ListMember>[]) =>
    Array.fromAsync(provider.apply(marked, never))
  const results = async (one: Made, ...marked: MarkedChange<ListMember>[]) =>
    (await apply(one, ...marked)).map(({ result }) => result)

  const opened = new Map<unknown, string>()
  testProvider<ListMember>({
    name: 'Mailman',
    sample: listSample,
    open: async () => {
      const { folder, provider } = await make()
      opened.set(provider, folder)
      return {
        provider,
        writeBehind: async (resource, value) => {
          const emails = [['emails', resource.address]] as const
          if (value === null) await server.call('DELETE', `/lists/${resource.list}/roster/member`, emails)
          else if (!editNote(marksOf(folder, resource.list), value)) await subscribe(resource.list, resource.address)
        },
        close: async () => {},
      }
    },
    reopen: async ({ provider }) => open(opened.get(provider) ?? ''),
    skip: [],
  })

  test('500 foreign members stay, whoever of ours comes and goes', async () => {
    const one = await make()
    server.addMembers(
      idOf(changes),
      Array.from({ length: 500 }, (_, index) => `f${index}@third.example`),
    )
    const before = await roster(changes)
    expect(before.length).toBe(500)
    const ours = ['ana', 'eva'].map(name => member(changes, `${name}@hcg.example`))
    expect(await results(one, ...ours.map(joining))).toEqual(['applied', 'applied'])
    expect(await roster(changes)).toEqual(['ana@hcg.example', 'eva@hcg.example', ...before])
    const observed = await one.provider.observe('all', never)
    expect(observed.filter(({ mark }) => mark === null).length).toBe(500)
    expect(await results(one, ...ours.map(leaving))).toEqual(['applied', 'applied'])
    expect(await roster(changes)).toEqual(before)
  })

  test('an address that Mailman refuses fails with its words, and the neighbours are done', async () => {
    const one = await make()
    await server.call('POST', `/lists/${changes}/bans`, [['email', 'ana@hcg.example']])
    const outcomes = await apply(
      one,
      joining(member(changes, 'ana@hcg.example')),
      joining(member(changes, 'eva@hcg.example')),
    )
    expect(outcomes.map(({ result }) => result)).toEqual(['failed', 'applied'])
    expect(outcomes[0]?.detail).toMatch(/400.*banned/)
    expect(readFileSync(marksOf(one.folder, changes), 'utf8')).not.toContain('ana@hcg.example')
  })

  test('a wrong password, a list that is not there, a server that is not there', async () => {
    const wrong = { ...(await make()), provider: await open('/nowhere', { password: 'geheim' }) }
    const refused = await wrong.provider.observe('all', never).catch((error: unknown) => error)
    expect(refused).toMatchObject({ kind: 'unauthorized', retry: 'never' })
    expect(JSON.stringify(refused) + String(refused)).not.toContain('geheim')
    const ana = joining(member(changes, 'ana@hcg.example'))
    expect(await results(wrong, ana)).toEqual(['failed'])
    await server.call('DELETE', `/lists/${changes}`)
    const right = { ...wrong, provider: await open(wrong.folder) }
    await expect(right.provider.observe('all', never)).rejects.toMatchObject({ kind: 'rejected' })
    expect(await results(right, ana)).toEqual(['failed'])
    const nobody = { ...wrong, provider: await open(wrong.folder, { url: 'http://127.0.0.1:1/3.1' }) }
    await expect(nobody.provider.observe('all', never)).rejects.toMatchObject({ kind: 'unreachable' })
    expect(await nobody.provider.observe({ domains: ['hcg.example'] }, never)).toEqual([])
    expect(await results(nobody, ana)).toEqual(['failed'])
  })

  /** Stands between the provider and Mailman, and spoils what it is told to. */
  async function lying(listener: RequestListener): Promise<{ url: string } & AsyncDisposable> {
    const liar = createServer(listener)
    await new Promise<void>(resolve => liar.listen(0, '127.0.0.1', resolve))
    return {
      url: `http://127.0.0.1:${(liar.address() as AddressInfo).port}/3.1`,
      async [Symbol.asyncDispose]() {
        liar.closeAllConnections()
        await new Promise(resolve => liar.close(resolve))
      },
    }
  }

  test.each([
    ['a part of a roster', '{"start":0,"total_size":3,"entries":[{"email":"a@b.example"}]}'],
    ['a roster without a number', '{"entries":[]}'],
    ['no JSON', '<html>'],
    ['a list', '[]'],
    ['a member without an address', '{"total_size":1,"entries":[{}]}'],
  ])('%s is a failure, never an empty roster', async (_, text) => {
    await using liar = await lying((_request, reply) => reply.end(text))
    const { provider } = await make(liar)
    await expect(provider.observe('all', never)).rejects.toMatchObject({ kind: 'malformed-reply' })
  })

  test('a reply that is cut: unknown when nobody can look, and the truth when somebody can', async () => {
    const ana = member(changes, 'ana@hcg.example')
    let cut = false
    let blind = true
    await using liar = await lying((request, reply) => {
      if (request.method === 'POST') {
        cut = true
        request.socket.destroy()
      } else if (cut && blind) request.socket.destroy()
      else if (request.url?.includes('roster')) reply.end('{"total_size":0}')
      else reply.end('{"list_id":"cambios.lists.example"}')
    })
    const one = await make(liar)
    expect(await results(one, joining(ana))).toEqual(['unknown'])
    expect(readFileSync(marksOf(one.folder, changes), 'utf8')).toContain(ana.address)
    blind = false
    expect(await results(one, joining(ana))).toEqual(['unknown'])
  })
})
