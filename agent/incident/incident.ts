/**
 * What is known of incidents, withdrawals and due notices: types only. All of it is a fold over the register
 * (`lifecycle.ts`); none of it is written anywhere else. Mission section 6, S36 to S41.
 */
import type { Instant } from '../core/clock.ts'
import type { Digest } from '../core/digest.ts'
import type { Language } from '../model/entity.ts'
import type { HoldScope, Inbound, IncidentClass, Lever, ReleaseStage } from '../model/incident.ts'
import type { DomainName } from '../model/name.ts'

export type LeverState = 'pending' | 'applied' | 'verified' | 'failed'

/** What becomes of mail that is held in queues: it stays held, or it goes out. Purging is no choice here (P6). */
export const mailDecisions = ['keep', 'release'] as const
export type MailDecision = (typeof mailDecisions)[number]

/** Of held mail, as seen from the scope of its incident. */
export const mailDirections = ['in', 'out'] as const

export const grounds = ['ethics', 'regulation', 'security'] as const
export type Grounds = (typeof grounds)[number]

/** A held message on a mail host; with its arrival, since short queue ids are used again. */
export type HeldName = { readonly host: string; readonly id: string; readonly arrivedAt: Instant }

export function messageKey({ host, id, arrivedAt }: HeldName): string {
  return `${host} ${id} ${arrivedAt}`
}

/** A message that we hold in a queue, under one scope. */
export type HeldMessage = { readonly id: string; readonly arrivedAt: Instant; readonly scope: string }

/** `incidents`: those that were open on this very scope when it was held; a later one of the same scope has no say in it. */
export type KnownHeld = HeldMessage & { readonly incidents: readonly string[] }

/** Text is null where its personal part was erased. */
export type Reason = { readonly text: string | null; readonly by: string; readonly at: Instant }

export type Report = {
  readonly n: number
  /** Of the signed document. */
  readonly document: Digest
  /** The people of the operator who wrote it, by their short names; usually nobody. Public, so that no erasure hides them. */
  readonly operatorAuthors: readonly string[]
  /** As written; null when erased. */
  readonly author: string | null
  readonly filedBy: string
  readonly at: Instant
  readonly review: 'waiting' | 'accepted' | 'returned'
  readonly reviewedBy: string | null
  readonly reviewedAt: Instant | null
  /** What is to be mended, when it was returned. */
  readonly points: string | null
}

export type Action = {
  readonly n: number
  readonly what: string | null
  /** As written; null when erased. */
  readonly who: string | null
  /** The person of the operator who did it; null when somebody else did. */
  readonly operatorWho: string | null
  readonly day: string
  readonly evidence: Digest
  /** Person, or `check:<name>`; null while nobody verified it. */
  readonly verifiedBy: string | null
}

/** The first of two people. `digest` binds it to what that person saw. */
export type Approval = {
  readonly by: string
  readonly at: Instant
  readonly digest: Digest
  /** Who made the token that approved; null where an entry does not tell. */
  readonly tokenBy: string | null
}

export type Rotation = { readonly at: Instant; readonly by: string; readonly secrets: number }

export type NoticeTopic =
  | 'suspended'
  | 'widened'
  | 'report-returned'
  | 'restored'
  | 'annulled'
  | 'withdrawn'
  | 'report-owed'
  | 'levers-open'
  | 'not-taken-up'
  | 'proposed'
  | 'storm'
export type Audience = 'director' | 'representative' | 'operator' | 'on-call'

export type TakenNotice = {
  readonly id: string
  readonly topic: string
  readonly audience: string
  readonly at: Instant
  readonly how: 'sent' | 'printed'
}

/** A door of a mail host as it was last found: sessions or queued messages that are open (null: can't be counted), and held. */
export type Door = { readonly open: number | null; readonly held: number; readonly failed: boolean }

/** Doors tried as a thief would, when last there was news of it. */
export type Tried = {
  readonly at: Instant
  readonly tries: number
  readonly refused: number
  /** Levers whose door let somebody in. */
  readonly open: readonly Lever[]
}

export type Incident = {
  readonly id: string
  readonly class: IncidentClass
  readonly scope: HoldScope
  readonly levers: readonly Lever[]
  /** Of the levers in `levers`; what is absent is pending. */
  readonly progress: ReadonlyMap<Lever, LeverState>
  /** By `<host>/<door>`. */
  readonly doors: ReadonlyMap<string, Door>
  /** Null while nothing was proved by a try. */
  readonly tried: Tried | null
  /** Since when not every lever stands verified; null while they do. */
  readonly openSince: Instant | null
  /** Whether a responder or security lead declared it or did anything about it. */
  readonly isTakenUp: boolean
  /** When every lever stood verified for the first time. */
  readonly containedAt: Instant | null
  /** As the manifests said when it was declared; null in entries that do not tell. */
  readonly inbound: Inbound | null
  /** On paper: it touches no lever and refuses no mail. */
  readonly drill: boolean
  /** Of a test domain: all of it is real but whom it tells. Never together with `drill`. */
  readonly liveDrill: boolean
  readonly declaredAt: Instant
  readonly declaredBy: string
  /** Everybody who declared it or made it wider: none of them is the second to release it. */
  readonly declarers: readonly string[]
  /** One for each `suspend`, the first included. */
  readonly reasons: readonly Reason[]
  readonly reports: readonly Report[]
  readonly actions: readonly Action[]
  /** Null until the secrets of the whole scope were rotated; a wider scope makes it null again. */
  readonly rotation: Rotation | null
  /** Of all held mail that `messages` does not name. */
  readonly mail: MailDecision | null
  /** Decided one by one, by `messageKey`; what somebody keeps here no decision on the rest lets go. */
  readonly messages: ReadonlyMap<string, MailDecision>
  readonly approvals: {
    readonly release: Approval | null
    readonly annul: Approval | null
    /** To purge held mail, or to let some go after the end. */
    readonly mail: Approval | null
  }
  readonly notices: readonly TakenNotice[]
  /** Ordered by two people and not yet whole; another `suspend` takes it back. */
  readonly release: StagedRelease | null
  readonly ended: Ending | null
  /** Once its lessons are filed. */
  readonly closed: { readonly at: Instant; readonly by: string; readonly lessons: Digest } | null
}

export type StagedRelease = {
  readonly by: readonly string[]
  readonly at: Instant
  /** Milliseconds from the stage before. */
  readonly waits: Readonly<Record<ReleaseStage, number>>
  readonly opened: readonly { readonly stage: ReleaseStage; readonly at: Instant }[]
  readonly probation: ProbationTerms | null
}

export type ProbationTerms = { readonly ms: number; readonly percent: number }

export type Ending = {
  readonly how: 'released' | 'annulled' | 'duplicate'
  readonly at: Instant
  readonly by: readonly string[]
  readonly probation: { readonly until: Instant; readonly percent: number } | null
  /** The incident that goes on in its place. */
  readonly of: string | null
}

export type Withdrawal = {
  readonly domain: DomainName
  readonly grounds: string
  readonly reason: string | null
  readonly at: Instant
  readonly by: readonly string[]
}

export type WithdrawApproval = Approval & { readonly grounds: string }

/** A notice that an entry asks for and that no later entry says was sent or printed. */
export type DueNotice = {
  /** `n<index of the entry>-<audience>`: the same on every pass and after every restart. */
  readonly id: string
  readonly topic: NoticeTopic
  readonly audience: Audience
  readonly incident: string | null
  readonly domain: DomainName
  readonly drill: boolean
  readonly at: Instant
  /** Number of the report that was returned; null for every other topic. */
  readonly report: number | null
  /** Due by time, and not by an entry. */
  readonly timer?: true
  /** Of signals: what of, for whoever reads it. */
  readonly words?: Readonly<Record<Language, string>>
  /** Which of the people on call, from 0. */
  readonly onCall?: number
}

export type Incidents = {
  /** In the order of their declaration. */
  readonly byId: ReadonlyMap<string, Incident>
  readonly withdrawals: ReadonlyMap<DomainName, Withdrawal>
  readonly withdrawApprovals: ReadonlyMap<DomainName, WithdrawApproval>
  /** In the order of their entries. */
  readonly due: readonly DueNotice[]
  /** Entries that claim an end which the register does not bear out: the hold stayed. Index and incident. */
  readonly disbelieved: readonly { readonly index: number; readonly incident: string }[]
}
