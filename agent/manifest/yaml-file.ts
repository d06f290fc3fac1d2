/** What a file of YAML is once it is read: documents with places, and what was refused. Types only. */
import type { TreeNode } from './tree.ts'

export type YamlProblem = {
  readonly code: string
  readonly start: number
  readonly end: number
  readonly values: Readonly<Record<string, string>>
  /** Span of the other end of a contradiction. */
  readonly related?: { readonly start: number; readonly end: number; readonly label: string }
}

export type YamlDocument = {
  readonly root: TreeNode
  /** False when something in it was refused: its value is not to be relied on, its name may be. */
  readonly sound: boolean
}

export type YamlFile = {
  readonly documents: readonly YamlDocument[]
  readonly problems: readonly YamlProblem[]
}
