/** The words of an incident: classes, levers, states (mission section 6). The rules of its life are in `incident/lifecycle.ts`. */
import type { Instant } from '../core/clock.ts'
import type { Scope } from './entity.ts'
import type { Address, DomainName } from './name.ts'

export const incidentClasses = [
  'spam',
  'phishing',
  'masquerade',
  'privileged-account-compromise',
  'unprivileged-account-compromise',
  'brute-force',
  'infected-system',
  'malware-distribution',
  'misconfiguration',
  'dos',
  'unauthorized-use-of-resources',
  'test',
] as const
export type IncidentClass = (typeof incidentClasses)[number]

/** What a suspension closes. Without `--only`, all of them. */
export const levers = ['send', 'receive', 'login', 'submission', 'collection', 'administrator', 'relay'] as const
export type Lever = (typeof levers)[number]

export type HoldScope = { readonly domain: DomainName /** null: the whole domain. */; readonly account: Address | null }

/** Inbound mail of a held domain, in growing strictness. */
export const inbounds = ['keep', 'defer', 'reject'] as const
export type Inbound = (typeof inbounds)[number]

/** What the two projections see of an open incident. A drill never becomes a hold. */
export type Hold = {
  readonly incident: string
  readonly scope: HoldScope
  readonly levers: readonly Lever[]
  readonly since: Instant
  /** During a staged release: what is as near as this goes through already. Absent: nothing does. */
  readonly cap?: Exclude<Scope, 'international'>
  /** What became of inbound mail when it was declared; manifests may be stricter meanwhile, never looser. */
  readonly inbound?: Inbound
}

/** In their order: what a release opens first, and last. */
export const releaseStages = ['collection', 'national', 'international'] as const
export type ReleaseStage = (typeof releaseStages)[number]

/** After a release: tighter `rate` limits, counted from the release on, until they end by themselves. */
export type Probation = {
  readonly incident: string
  readonly scope: HoldScope
  readonly since: Instant
  readonly until: Instant
  /** Of the limits in the configuration. */
  readonly percent: number
}

/** `withdrawn` is for good: there is no way back but a new authorisation (S36). */
export type IncidentState =
  | 'containing'
  | 'contained'
  | 'awaiting-report'
  | 'report-review'
  | 'release-ready'
  /** Two people released it, and the stages are on their way. */
  | 'releasing'
  | 'released'
  | 'annulled'
  | 'duplicate'
  /** Its lessons are filed. */
  | 'closed'

/** In which an incident is handed over: IODEF version 2 (RFC 7970, RFC 8727), or the report after it. */
export const handoverFormats = ['iodef-json', 'iodef-xml', 'report'] as const
export type HandoverFormat = (typeof handoverFormats)[number]
