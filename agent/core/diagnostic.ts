/**
 * A person's mistake as a value: collected, never thrown. It holds a code and the values of its sentence, not the
 * sentence: `messages.ts` has the words in each language, so the same finding prints in Spanish and in English.
 */

/** Lines and columns count from 1. `file` is relative to the folder of manifests, with forward slashes. */
export type Place = {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endColumn?: number
}

export type Severity = 'error' | 'warning'

export type Diagnostic = {
  readonly severity: Severity
  /** Stable: `E-AGREEMENT`, `W-DOCUMENT`; a key of the message table. */
  readonly code: string
  /** The values of the message's placeholders. */
  readonly values: Readonly<Record<string, string>>
  readonly place?: Place
  /** RFC 6901, from the root of the YAML document: `/spec/accounts/3/request`. */
  readonly pointer?: string
  /** What the finding blocks: `institution:hcg`, `domain:hcg.sld.cu`, `account:jperez@hcg.sld.cu`; nothing when absent. */
  readonly subject?: string
  /** The other end of a contradiction. `label` is a key of the message table's `labels`. */
  readonly related?: readonly { readonly place: Place; readonly label: string }[]
  /** The word that was probably meant. */
  readonly suggestion?: string
}
