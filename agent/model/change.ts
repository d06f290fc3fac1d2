/** Plans as data, never closures: they can be saved, digested, approved, and refused as stale. */
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import type { Digest } from '../core/digest.ts'
import type { DomainName } from './name.ts'
import type { Ref, Resource } from './resource.ts'

/** Why a change is planned: a manifest, an edit by someone else put back, a hold, its release, or an end. */
export type Why = 'manifest' | 'drift' | 'hold' | 'release' | 'withdrawal' | 'removal'

/** Who wrote the object last before a drift was found, where its system tells; `at` is an instant as text. */
export type LastEdit = { readonly by: string; readonly at: string }

type Cause = {
  readonly ref: Ref
  readonly why: Why
  readonly source: Place | { readonly incident: string } | null
  readonly lastEdit?: LastEdit
}

export type Change<R extends Resource = Resource> =
  | (Cause & { readonly action: 'create'; readonly before: null; readonly after: R })
  | (Cause & { readonly action: 'update'; readonly before: R; readonly after: R })
  | (Cause & { readonly action: 'delete'; readonly before: R; readonly after: null })

/** What became of a change. `unknown`: the call may or may not have done its work; re-read before anything else. */
export type Outcome = {
  readonly ref: Ref
  readonly result: 'applied' | 'failed' | 'skipped' | 'conflict' | 'unknown'
  /** A sentence for people when the result is not `applied`. */
  readonly detail?: string
}

/** A step held back by a guard. `accept` is the exact-count acceptance that lifts it: `delete=37`. */
export type Refusal = {
  readonly guard: string
  /** Its sentence: a key of the message table, and its values. */
  readonly code:
    | 'E-GUARD-DELETES'
    | 'E-GUARD-EMPTIED'
    | 'E-GUARD-REMOVED'
    | 'E-GUARD-UPDATES'
    | 'E-GUARD-COUNT'
    | 'E-GUARD-MEMBERS'
  readonly values: Readonly<Record<string, string>>
  readonly accept: string | null
  readonly refs: readonly Ref[]
}

/**
 * `exists`: somebody made it. `mark-lost`: we made it, and it lost our mark. `not-in-register`: the register does not
 * know it. `name-taken`: it cannot stand beside what somebody put at its name.
 */
export type Contested = {
  readonly ref: Ref
  readonly reason: 'exists' | 'mark-lost' | 'not-in-register' | 'name-taken'
}

/** A change that would happen without the incident. */
export type Held = { readonly ref: Ref; readonly incident: string }

export type Plan = {
  readonly version: 1
  /** Over target, changes and refusals; equal plans for another target differ. */
  readonly digest: Digest
  readonly createdAt: string
  readonly target: string
  readonly changes: readonly Change[]
  /** Domains whose DKIM key is made when the plan is applied; the record of each comes on top of the changes. */
  readonly keys: readonly DomainName[]
  readonly refusals: readonly Refusal[]
  readonly held: readonly Held[]
  /** Objects that are in the way and not ours: reported, untouched. */
  readonly contested: readonly Contested[]
  /** Changes that the provider can't hold; `diagnostics` says why. */
  readonly unsupported: number
  readonly diagnostics: readonly Diagnostic[]
}
