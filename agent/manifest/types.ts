/** What goes into the checking of manifests besides the files: all of it given, none of it read. */
import type { Day } from '../core/clock.ts'

/** A file as it was read. `path` is relative to the root of the manifests, with forward slashes. */
export type SourceFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly failure: 'too-large' | 'unreadable' | 'not-utf8' }

export type CheckContext = {
  readonly today: Day
  readonly timeZone: string
  /** Text of a file named by a manifest (a roster), by its path relative to the root; undefined when it cannot be read. */
  readonly attachment: (path: string) => string | undefined
  /** True when a document named by a manifest exists. */
  readonly hasDocument: (path: string) => boolean
}
