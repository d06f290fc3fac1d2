/**
 * A release in stages (mission section 6, state 10): collection and mail inside the institution, then national mail, then
 * international. Pure. Two people order it once; from then on the register alone says what is open: a stage is an entry,
 * its wait was fixed by the order, and any new `suspend` of the scope takes the rest back.
 */
import { formatInstant, type Instant } from '../core/clock.ts'
import { type Lever, type ReleaseStage, releaseStages } from '../model/incident.ts'
import type { Actor, NewEntry } from '../register/register.ts'
import type { Incident, Incidents, StagedRelease } from './incident.ts'

/** The levers that a staged release opens by class of mail; all others open with the first stage. */
const cappedLevers: readonly Lever[] = ['send', 'receive', 'relay']

const caps = { collection: 'local', national: 'national' } as const

/** What of a hold still stands; undefined when nothing of it does. */
export function standingHold({
  levers,
  release,
}: Pick<Incident, 'levers' | 'release'>):
  | { readonly levers: readonly Lever[]; readonly cap?: 'local' | 'national' }
  | undefined {
  const stage = release?.opened.at(-1)?.stage
  if (stage === undefined) return { levers }
  const left = levers.filter(lever => cappedLevers.includes(lever))
  if (stage === 'international' || left.length === 0) return undefined
  return { levers: left, cap: caps[stage] }
}

/** The stage that comes next and when; undefined when all are open or nobody ordered them. */
export function nextStage(
  release: StagedRelease | null,
): { readonly stage: ReleaseStage; readonly due: Instant } | undefined {
  if (release === null) return undefined
  const stage = releaseStages[release.opened.length]
  if (stage === undefined) return undefined
  return { stage, due: (release.opened.at(-1)?.at ?? release.at) + release.waits[stage] }
}

/** Entries of stages whose time has come. The last one is the restoration itself. */
export function dueStageEntries({ byId }: Incidents, by: { readonly actor: Actor; readonly at: Instant }): NewEntry[] {
  const entries: NewEntry[] = []
  for (const incident of byId.values()) {
    if (incident.ended !== null) continue
    let release = incident.release
    for (let next = nextStage(release); next !== undefined && next.due <= by.at; next = nextStage(release)) {
      entries.push(stageEntry(incident, next.stage, by))
      release = release && { ...release, opened: [...release.opened, { stage: next.stage, at: by.at }] }
    }
  }
  return entries
}

export function stageEntry(
  { id, scope, drill, release }: Pick<Incident, 'id' | 'scope' | 'drill' | 'release'>,
  stage: ReleaseStage,
  { actor, at }: { readonly actor: Actor; readonly at: Instant },
): NewEntry {
  const facts = { incident: id, domain: scope.domain, stage, drill }
  const isLast = stage === 'international'
  return {
    kind: isLast ? 'service.restored' : 'release.stage',
    actor,
    at: formatInstant(at),
    subject: id,
    rule: 'S41',
    facts: isLast ? { ...facts, releasedBy: release?.by ?? [] } : facts,
  }
}

/** Whether an entry of that instant may open the stage. */
export function isStageDue(release: StagedRelease | null, stage: unknown, at: Instant): boolean {
  const next = nextStage(release)
  return next !== undefined && next.stage === stage && at >= next.due
}
