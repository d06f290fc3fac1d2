/**
 * The members of one list of Mailman: the whole roster in one request, new ones one by one, those who leave in one
 * request. Members alone; owners, moderators and people who only post are not ours to see.
 */
import type { Address } from '../../agent/model/name.ts'
import { toMemberAddress } from '../../agent/standards/list-resource.ts'
import type { Seats, Trouble } from '../list-members.ts'
import { ProviderFailure } from '../provider.ts'
import { type Api, ask, type Reply } from './rest.ts'

const unstopped = new AbortController().signal

const pathOf = (list: Address) => `/lists/${encodeURIComponent(list)}`

/** Mailman's own name for the list: the one that its members go by. @throws ProviderFailure */
export async function readListId(api: Api, list: Address, signal: AbortSignal): Promise<string> {
  const reply = await ask(api, 'GET', pathOf(list), { signal })
  const { list_id: id } = demand(reply, list)
  if (typeof id !== 'string') throw malformed('a list without an id')
  return id
}

/** @throws ProviderFailure */
export async function readRoster(api: Api, list: Address, signal: AbortSignal): Promise<ReadonlySet<Address>> {
  const { total_size: size, entries = [] } = demand(
    await ask(api, 'GET', `${pathOf(list)}/roster/member?fields=email`, { signal }),
    list,
  )
  // A part of a roster would make the others look as if they had left.
  if (!Array.isArray(entries) || typeof size !== 'number' || entries.length !== size)
    throw malformed('a part of a roster')
  return new Set(
    entries.map((entry: unknown) => {
      const email = (entry as { email?: unknown } | null)?.email
      if (typeof email !== 'string') throw malformed('a member without an address')
      return toMemberAddress(email)
    }),
  )
}

/** Only what went wrong is in the answer. */
export async function writeSeats(
  api: Api,
  list: Address,
  { add, remove }: Seats,
): Promise<ReadonlyMap<Address, Trouble>> {
  const troubles = new Map<Address, Trouble>()
  const attempt = async (addresses: readonly Address[], work: () => Promise<string | undefined>) => {
    try {
      const detail = await work()
      if (detail !== undefined) for (const address of addresses) troubles.set(address, { result: 'failed', detail })
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error
      const result = error.kind === 'unreachable' || error.kind === 'unauthorized' ? 'failed' : 'unknown'
      for (const address of addresses) troubles.set(address, { result, detail: error.message })
    }
  }
  if (remove.length > 0) await attempt(remove, () => unsubscribe(api, list, remove))
  if (add.length === 0) return troubles
  let id = ''
  await attempt(add, async () => {
    id = await readListId(api, list, unstopped)
    return undefined
  })
  // Nothing was asked for yet, so nothing is unknown.
  if (id === '')
    for (const address of add)
      troubles.set(address, { result: 'failed', detail: troubles.get(address)?.detail ?? 'the list has no id' })
  else for (const address of add) await attempt([address], () => subscribe(api, id, address))
  return troubles
}

/** @returns why not, in Mailman's words. */
async function subscribe(api: Api, listId: string, address: Address): Promise<string | undefined> {
  const form = [
    ['list_id', listId],
    ['subscriber', address],
    // The consent is in Supplement 3, on paper: nobody is asked again, and nobody welcomed.
    ['pre_verified', 'true'],
    ['pre_confirmed', 'true'],
    ['pre_approved', 'true'],
    ['send_welcome_message', 'false'],
  ] as const
  const reply = await ask(api, 'POST', '/members', { form, signal: unstopped })
  // 409: on the list already. If it only waits for an approval, the next look doesn't find it there.
  return reply.status === 201 || reply.status === 409 ? undefined : refusalOf(reply)
}

async function unsubscribe(api: Api, list: Address, addresses: readonly Address[]): Promise<string | undefined> {
  const form = addresses.map(address => ['emails', address] as const)
  const reply = await ask(api, 'DELETE', `${pathOf(list)}/roster/member`, { form, signal: unstopped })
  // Address by address it says true or false; false is somebody who wasn't there, and the next look tells that too.
  return reply.status === 200 || reply.status === 204 ? undefined : refusalOf(reply)
}

function refusalOf({ status, body }: Reply): string {
  const words = body['description'] ?? body['title']
  return `Mailman answered ${status}${typeof words === 'string' ? `: ${words.slice(0, 200)}` : ''}`
}

function demand(reply: Reply, list: Address): Reply['body'] {
  if (reply.status === 200) return reply.body
  if (reply.status === 404)
    throw new ProviderFailure('rejected', `there is no list ${list} in Mailman; make it first`, { retry: 'later' })
  throw new ProviderFailure('rejected', refusalOf(reply), { retry: 'later' })
}

function malformed(what: string): ProviderFailure {
  return new ProviderFailure('malformed-reply', `Mailman answered with ${what}`, { retry: 'later' })
}
