/**
 * Members of distribution lists as a provider, whatever list server stands behind it. The lists are the operator's and
 * stand already: one that isn't there is a failure, and none is ever made. Who is on a list without our mark came in
 * another way, stays as they are and is never taken off.
 *
 * The order of writing makes each cut harmless: first the mark, then the seat, and the other way round at the end. A
 * mark without its seat says nothing and goes with the next writing.
 */
import type { Diagnostic } from '../agent/core/diagnostic.ts'
import type { Outcome } from '../agent/model/change.ts'
import type { Address } from '../agent/model/name.ts'
import type { ListMember } from '../agent/model/resource.ts'
import {
  canonicalListMember,
  formatMarks,
  listMemberKey,
  type MemberMark,
  type MemberMarks,
} from '../agent/standards/list-resource.ts'
import { judge } from './judge.ts'
import { readMarks, writeMarks } from './list-marks.ts'
import { type MarkedChange, type Observed, type Provider, ProviderFailure } from './provider.ts'

/** Why an address may not be where it was asked for; what stands afterwards outweighs it. */
export type Trouble = { readonly result: 'failed' | 'unknown'; readonly detail: string }

export interface ListServer {
  /** Everybody on the list, whatever they get of it: all or a failure. @throws ProviderFailure */
  read(list: Address, signal: AbortSignal): Promise<ReadonlySet<Address>>
  /** File of our marks for the list. @throws ProviderFailure when there is no such list. */
  marksFile(list: Address): Promise<string>
  /** Only what went wrong is in the answer. Never throws for the world's sake. */
  write(list: Address, seats: Seats): Promise<ReadonlyMap<Address, Trouble>>
}

export type Seats = { readonly add: readonly Address[]; readonly remove: readonly Address[] }

export type ListProviderParts = {
  readonly server: ListServer
  readonly target: string
  readonly lists: readonly Address[]
  readonly check: (member: ListMember) => readonly Diagnostic[]
}

/** Changes of one list written together: few enough that a stop waits for two seconds at most. */
const chunkMax = 50

export function createListProvider(parts: ListProviderParts): Provider<ListMember> {
  return {
    name: 'lists',
    kinds: ['member'],
    target: parts.target,
    check: parts.check,
    canonical: canonicalListMember,
    async observe(scope, signal) {
      // A member belongs to no domain, so no part of the estate shows one: and an incident waits for no list server.
      if (scope !== 'all') return []
      const observed: Observed<ListMember>[] = []
      for (const list of parts.lists) observed.push(...(await observeList(parts.server, list, signal)).values())
      return observed
    },
    apply: (changes, signal) => applyAll(parts, changes, signal),
    async [Symbol.asyncDispose]() {},
  }
}

async function observeList(
  server: ListServer,
  list: Address,
  signal: AbortSignal,
): Promise<ReadonlyMap<Address, Observed<ListMember>>> {
  if (signal.aborted)
    throw new ProviderFailure('timeout', 'reading the lists was broken off', { retry: 'later', cause: signal.reason })
  const marks = await readMarks(await server.marksFile(list))
  return withMarks(list, await server.read(list, signal), marks)
}

function withMarks(list: Address, members: ReadonlySet<Address>, marks: MemberMarks) {
  const observed = new Map<Address, Observed<ListMember>>()
  for (const address of members) {
    const { mark, institutions, topics } = marks.get(address) ?? { mark: null, institutions: [], topics: [] }
    const key = listMemberKey(list, address)
    const member = { provider: 'lists', kind: 'member', key, list, address, institutions, topics } as const
    observed.set(address, { resource: canonicalListMember(member), mark })
  }
  return observed
}

type MemberChange = MarkedChange<ListMember>

const memberOf = ({ change }: MemberChange): ListMember => change.after ?? change.before

async function* applyAll(
  { server, lists }: ListProviderParts,
  changes: readonly MemberChange[],
  signal: AbortSignal,
): AsyncGenerator<Outcome> {
  for (const [list, own] of Map.groupBy(changes, change => memberOf(change).list))
    for (let start = 0; start < own.length; start += chunkMax) {
      const chunk = own.slice(start, start + chunkMax)
      if (signal.aborted) yield* all(chunk, 'skipped', 'the run was stopped before')
      else if (!lists.includes(list)) yield* all(chunk, 'failed', `${list} is not among the configured lists`)
      else yield* await applyChunk(server, list, chunk)
    }
}

function all(chunk: readonly MemberChange[], result: Outcome['result'], detail: string): Outcome[] {
  return chunk.map(({ change }) => ({ ref: change.ref, result, detail }))
}

/** What was begun is finished: a stop comes between two chunks, never inside one. */
const unstopped = new AbortController().signal

async function applyChunk(server: ListServer, list: Address, chunk: readonly MemberChange[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const due: MemberChange[] = []
  let file: string
  let marks: Map<Address, MemberMark>
  try {
    file = await server.marksFile(list)
    const before = await readMarks(file)
    const members = await server.read(list, unstopped)
    const observed = withMarks(list, members, before)
    for (const marked of chunk) {
      const judgement = judge(inCanonicalForm(marked), observed.get(memberOf(marked).address))
      const { ref } = marked.change
      if (judgement.verdict === 'conflict') outcomes.push({ ref, result: 'conflict', detail: judgement.detail })
      else if (judgement.verdict === 'write') due.push(marked)
      else outcomes.push({ ref, result: 'applied' })
    }
    // Marks without a seat are left over from a cut, or from somebody who went by themselves.
    marks = new Map([...before].filter(([address]) => members.has(address)))
    for (const { change, mark } of due)
      if (change.after !== null) marks.set(change.after.address, { ...noteOf(change.after), mark })
    if (due.length > 0 && formatMarks(marks) !== formatMarks(before)) await writeMarks(file, marks)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    return all(chunk, 'failed', error.message)
  }
  return [...outcomes, ...(await seat(server, list, due, { file, marks }))]
}

function inCanonicalForm(marked: MemberChange): MemberChange {
  const { after } = marked.change
  const change = { ...marked.change, after: after === null ? null : canonicalListMember(after) }
  return { ...marked, change: change as MemberChange['change'] }
}

function noteOf(member: ListMember): Omit<MemberMark, 'mark'> {
  const { institutions, topics } = canonicalListMember(member)
  return { institutions, topics }
}

/** Gives and takes the seats, then looks: what stands is what is told, whatever the server answered. */
async function seat(
  server: ListServer,
  list: Address,
  due: readonly MemberChange[],
  kept: { readonly file: string; readonly marks: ReadonlyMap<Address, MemberMark> },
): Promise<Outcome[]> {
  const addressesOf = (action: 'create' | 'delete') =>
    due.filter(({ change }) => change.action === action).map(change => memberOf(change).address)
  const seats = { add: addressesOf('create'), remove: addressesOf('delete') }
  if (seats.add.length + seats.remove.length === 0)
    return due.map(({ change }) => ({ ref: change.ref, result: 'applied' }))
  const troubles = await server.write(list, seats)
  const standing = await readAgain(server, list)
  const outcomes = due.map((marked): Outcome => {
    const { ref, action } = marked.change
    const { address } = memberOf(marked)
    if (action === 'update') return { ref, result: 'applied' }
    if (standing === undefined)
      return { ref, ...(troubles.get(address) ?? { result: 'unknown', detail: 'the list cannot be read any more' }) }
    if (standing.has(address) === (action === 'create')) return { ref, result: 'applied' }
    return { ref, ...(troubles.get(address) ?? { result: 'failed', detail: 'somebody else wrote at the same time' }) }
  })
  await dropMarks(due, outcomes, kept)
  return outcomes
}

async function readAgain(server: ListServer, list: Address): Promise<ReadonlySet<Address> | undefined> {
  try {
    return await server.read(list, unstopped)
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error
    return undefined
  }
}

/** The marks of seats that are no more, or never were. An unknown one keeps its mark: the next look tells. */
async function dropMarks(
  due: readonly MemberChange[],
  outcomes: readonly Outcome[],
  { file, marks }: { readonly file: string; readonly marks: ReadonlyMap<Address, MemberMark> },
): Promise<void> {
  const left = new Map(marks)
  for (const [index, marked] of due.entries()) {
    const gone = marked.change.action === 'delete' ? 'applied' : 'failed'
    if (marked.change.action !== 'update' && outcomes[index]?.result === gone) left.delete(memberOf(marked).address)
  }
  if (left.size === marks.size) return
  try {
    await writeMarks(file, left)
  } catch (error) {
    // A mark without a seat harms nobody and goes with the next writing; what was done stays done.
    if (!(error instanceof ProviderFailure)) throw error
  }
}
