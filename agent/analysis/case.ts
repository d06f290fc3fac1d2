/**
 * What every part of a comparison starts from: one account in both fleets, the questions that are put, and the two ways to
 * look. Pure.
 */
import type { Landscape } from './blocks.ts'
import type { RelayMap } from './clients.ts'
import type { Collector } from './collect.ts'
import { type Fleet, permits, type Question, type Traits } from './fleet.ts'
import { type AddressSet, formatAddress } from './intervals.ts'
import type { Direction } from './lines.ts'

/** A name of a line, and the address to ask with. */
export type Principal = { readonly name: string; readonly address: string }
export type Case = { readonly principal: Principal; readonly one: Traits; readonly other: Traits }
export type Doors = { readonly clients: AddressSet; readonly unknown: boolean }

export type Comparison = {
  readonly land: Landscape
  readonly relays: RelayMap
  readonly collect: Collector
  /** The addresses of a mailbox in a fleet. */
  readonly namesOf: (fleet: Fleet, mailbox: string) => readonly string[]
  /** Addresses that act in a fleet, by domain: one of each kind, with a client. */
  readonly actorsOf: (fleet: Fleet) => ReadonlyMap<string, readonly Question[]>
}

export type Found<T> = readonly {
  readonly direction: Direction
  readonly items: readonly T[]
  readonly witness: Question
}[]

export function question(asked: Partial<Question>): Question {
  const state = asked.recipient === undefined ? 'MAIL' : 'RCPT'
  return { state, clientAddress: '', sender: '', recipient: '', login: '', ...asked }
}

/** The two ways to look: what the later fleet permits and the earlier does not, and the reverse. */
export const directions = (land: Landscape) =>
  [
    { direction: 'gained', from: land.before, to: land.after, index: 1 },
    { direction: 'lost', from: land.after, to: land.before, index: 0 },
  ] as const satisfies readonly { direction: Direction; from: Fleet; to: Fleet; index: 0 | 1 }[]

export function isWitness(asked: Question, { from, to }: { readonly from: Fleet; readonly to: Fleet }): boolean {
  return permits(to, asked) && !permits(from, asked)
}

export const firstClient = ({ clients }: Doors): string =>
  clients[0] === undefined ? '' : formatAddress(clients[0][0])
export const isOpen = ({ clients, unknown }: Doors): boolean => unknown || clients.length > 0

export function isSteady({ before, after }: RelayMap['classes'][number]): boolean {
  return before.join(' ') === after.join(' ')
}

export function remember<T>(make: (one: Case) => T, keyOf: (one: Case) => string): (one: Case) => T {
  const known = new Map<string, T>()
  return one => {
    const key = keyOf(one)
    let found = known.get(key)
    if (found === undefined) {
      found = make(one)
      known.set(key, found)
    }
    return found
  }
}
