/** What an operation is given and gives: the shape that every command of the agent has. Types only. */
import type { CredentialStore, MailHost, Prober } from '../../providers/provider.ts'
import type { Token } from '../incident/people.ts'
import type { Language } from '../model/entity.ts'
import type { DomainName } from '../model/name.ts'
import type { Courier } from '../notify/courier.ts'
import type { Engine } from '../reconcile/engine.ts'
import type { Actor, Stored } from '../register/register.ts'
import type { EvidenceKeeper } from './evidence-keeper.ts'
import type { LivePolicy } from './live.ts'
import type { OperationResult } from './protocol.ts'

/** Who asks, as far as it could be proved. */
export type Caller = {
  readonly actor: Actor
  /** The valid token that proved the person; null for whoever is on the host without one. */
  readonly token: Token | null
  /** A token was given and is not valid. */
  readonly refused: boolean
  readonly language: Language
}

export type OperationContext = {
  readonly engine: Engine
  readonly credentials: CredentialStore
  readonly courier: Courier
  readonly caller: Caller
  readonly progress: (done: number, total: number) => void
  readonly signal: AbortSignal
  /** The running daemon; null when a command works by itself. */
  readonly daemon: { readonly pid: number; readonly startedAt: string } | null
  readonly live: LivePolicy | null
  readonly hosts: readonly MailHost[]
  readonly evidence: EvidenceKeeper
  readonly prober: Prober
  /** Sentences about a register that does not verify; empty when it does. */
  readonly findings: (language: Language) => readonly string[]
  /** Resolves when the newest head stands in every witness. */
  readonly witness: () => Promise<void>
  /** Alarms of the register that stop nothing. */
  readonly troubles: () => readonly string[]
  readonly acceptHead: (actor: Actor, reason: string) => Promise<Stored>
  readonly random: (bytes: number) => Uint8Array
  /** Whether the configuration file says something else than it did when the daemon began; it is read at the start alone. */
  readonly configurationChanged: () => Promise<boolean>
  /** Asks the daemon for another pass soon; without a daemon there is nobody to ask. */
  readonly retry: () => void
  /** Has what people see of these domains looked at, beside everything else; without a daemon nobody does. */
  readonly verifyLater: (domains: readonly DomainName[]) => void
  /** Ends the daemon in good order, for what only a fresh start can take up. */
  readonly stop: () => void
}

export type Operation = (args: Readonly<Record<string, unknown>>, context: OperationContext) => Promise<OperationResult>

export type OperationRow = {
  readonly run: Operation /** True when it writes: then it needs the daemon or the lock. */
  readonly changes: (args: Readonly<Record<string, unknown>>) => boolean
}
