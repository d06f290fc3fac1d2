/**
 * What a comparison tells: who gained or lost which right towards whom, each with a request that the two fleets decide
 * differently. Plain data. Pure.
 */
import type { PolicyName } from '../manifest/schema.ts'
import type { Block } from './blocks.ts'
import type { ClientClass } from './clients.ts'
import type { Question } from './fleet.ts'
import type { AddressSet } from './intervals.ts'

export const lineDirections = ['gained', 'lost'] as const
export type Direction = (typeof lineDirections)[number]

/** How the other side comes: with a login, from a stranger's client, or through a declared relay. */
export type Origin =
  | { readonly way: 'login'; readonly from: Block; readonly sender: Block | 'own' }
  | { readonly way: 'stranger'; readonly from: Block; readonly client: ClientClass }
  /** A relay of the account's institution (''), of a named one, or of any other (null). */
  | { readonly way: 'relay'; readonly from: Block; readonly relay: string | null }

export type Subject =
  /** A login may be used from these addresses; `unknown`: from one that Postfix could not tell. */
  | { readonly right: 'log-in'; readonly clients: AddressSet; readonly unknown: boolean }
  | { readonly right: 'write'; readonly blocks: readonly Block[] }
  | { readonly right: 'hear'; readonly origins: readonly Origin[] }
  /** The account may write under these names too; null: under any. */
  | { readonly right: 'sign'; readonly names: readonly string[] | null }
  /** Relays that speak alike in both fleets bring mail under the accounts' names. */
  | { readonly right: 'relay'; readonly clients: AddressSet }
  /** Strangers may bring mail under the accounts' names. */
  | { readonly right: 'name' }
  /** Clients that speak for others than before; the line has no accounts. */
  | {
      readonly right: 'speak'
      readonly clients: AddressSet
      readonly before: readonly string[]
      readonly after: readonly string[]
    }

export type Line = Subject & {
  readonly direction: Direction
  /** Addresses. `*@domain`: every name of it that is nobody's; `<>@institution`: the bounces of its relays; `*`: names of elsewhere. */
  readonly accounts: readonly string[]
  readonly witness: Question
}

export type SettingChange = { readonly setting: string; readonly before: string; readonly after: string }

export type Difference = {
  readonly lines: readonly Line[]
  readonly settings: readonly SettingChange[]
  /** Policies about who somebody is that a fleet does not enforce: then names that nobody has may write, too. */
  readonly lax: readonly PolicyName[]
}
