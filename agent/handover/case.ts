/** What a hand-over is made of. Types only. */
import type { BundleRecord } from '../incident/evidence.ts'
import type { Incident } from '../incident/incident.ts'
import type { Language } from '../model/entity.ts'
import type { Stored } from '../register/register.ts'

export type Case = {
  readonly incident: Incident
  /** Of this incident, in their order. */
  readonly entries: readonly Stored[]
  readonly operator: {
    readonly name: string
    readonly security: string | null
    readonly support: string | null
    readonly timeZone: string
  }
  readonly institution: string | null
  readonly bundles: readonly BundleRecord[]
  readonly language: Language
}
