/**
 * How zones come and go: UPDATE makes none, so each server has its own way, over its configuration (`bind.ts`,
 * `knot.ts`). A way keeps a note beside each zone of ours that is not wholly made or not wholly gone, so that a cut
 * anywhere is finished by the next pass. It never touches a zone that is not in its own list.
 */
import type { Update } from '../../agent/standards/dns-update.ts'

/**
 * `pending`: configured, and not yet known to be served. `leaving`: being removed, served or not; its mark is noted,
 * since the zone that carries it goes first.
 */
export type ListedZone = { readonly state: 'made' | 'pending' } | { readonly state: 'leaving'; readonly mark: string }

export type NewZone = { readonly apex: string; readonly text: string }

/** `unknown`: the server may have taken it, or may take it when it is started next. */
export type StepResult =
  | { readonly result: 'done' }
  | { readonly result: 'failed' | 'unknown'; readonly detail: string }

export const done: StepResult = { result: 'done' }

export const unsettled = (result: 'failed' | 'unknown', detail: string): StepResult => ({ result, detail })

export type Listing = {
  /** The zones of ours by apex. */
  readonly ours: ReadonlyMap<string, ListedZone>
  /** Everybody's zones, where the server lists them; null where it does not. */
  readonly everybodys: ReadonlySet<string> | null
}

export interface ZoneMaking {
  /** @throws ProviderFailure when the list cannot be read or is not as we left it. */
  list(): Promise<Listing>
  /** Gives new zones, which are not served, to the server, each noted as pending. Returns before they are served. */
  add(zones: readonly NewZone[]): Promise<ReadonlyMap<string, StepResult>>
  /**
   * What is written into a new zone while it is still noted as pending, for a server that can be killed in the middle of
   * its first UPDATE in a way that keeps it from loading the zone ever after; harmless when it was written already.
   */
  firstUpdate?(apex: string): Update
  /**
   * Why the server has a zone of ours in its configuration and could not load it, with the way out; null when it is
   * loaded, or may still be loading. Changes nothing.
   */
  unloaded?(apex: string): Promise<string | null>
  /** Takes the note away: they are served. @throws ProviderFailure */
  confirm(apexes: readonly string[]): Promise<void>
  /** Takes away zones that were added and never came to be served. @throws ProviderFailure */
  discard(apexes: readonly string[]): Promise<void>
  /** Notes what goes. @throws ProviderFailure */
  leave(zones: ReadonlyMap<string, string>): Promise<void>
  /** From now on nobody changes the zone. Harmless when it is gone. @throws ProviderFailure */
  freeze(apex: string): Promise<void>
  /** Undoes `freeze` and `leave`. */
  stay(apexes: readonly string[]): Promise<void>
  /** Keeps the files of a zone that the server has no more, out of the way: nobody could look into it. */
  putAway?(apex: string): Promise<void>
  /** Takes zones from the server, and their files and notes once it serves them no more. @throws ProviderFailure */
  remove(apexes: readonly string[], whenGone: () => Promise<void>): Promise<void>
}
