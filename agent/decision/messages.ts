/** What the daemon and the thread of live decisions say to each other. Plain data, in order, over one port. */
import type { Hold } from '../model/incident.ts'
import type { PolicyRequest } from '../standards/policy-delegation.ts'
import type { PolicyCounters } from './counters.ts'
import type { Decision } from './decide.ts'
import type { SnapshotImage } from './image.ts'
import type { Signal, SignalsState } from './signals.ts'
import type { PolicyListener } from './snapshot.ts'
import type { UsageState } from './usage.ts'

/** The thread's own memory that the daemon writes: how many messages it has sent. */
export type ThreadData = { readonly sent: SharedArrayBuffer }

/** What outlives a restart. */
export type KeptCounters = { readonly usage: UsageState; readonly signals: SignalsState }

export type ToThread =
  | { readonly kind: 'listen'; readonly id: number; readonly listeners: readonly PolicyListener[] }
  /** Null: every question is answered by hanging up. */
  | { readonly kind: 'show'; readonly image: SnapshotImage | null }
  | { readonly kind: 'hold'; readonly holds: readonly Hold[] }
  | { readonly kind: 'ask'; readonly id: number; readonly request: PolicyRequest }
  | { readonly kind: 'count'; readonly id: number }
  | { readonly kind: 'save'; readonly id: number }
  | { readonly kind: 'restore'; readonly counters: KeptCounters }
  | { readonly kind: 'close'; readonly id: number }

/** A decision that refuses, or that a policy in `observe` would refuse. */
export type Told = { readonly decision: Decision; readonly request: PolicyRequest }

/** A signal, and whose login it is of. */
export type Raised = Signal & { readonly institution: string | null }

export type FromThread =
  | { readonly kind: 'reply'; readonly id: number; readonly value: ThreadReply }
  | { readonly kind: 'failure'; readonly id: number; readonly error: string }
  /** `more`: those beyond what is told one by one. */
  | {
      readonly kind: 'told'
      readonly told: readonly Told[]
      readonly more: number
      readonly signals: readonly Raised[]
    }
  | { readonly kind: 'thrown'; readonly error: string }

export type ThreadReply = readonly string[] | Decision | PolicyCounters | KeptCounters | null
