/** Fields of an analysis report as YAML or JSON: one object, the same strict YAML as manifests. */
import { parseYaml } from './parse.ts'
import { toValue } from './tree.ts'

/** @returns undefined when the text is no single object. */
export function parseReport(text: string): Readonly<Record<string, unknown>> | undefined {
  const file = parseYaml(text)
  const [document] = file.documents
  if (file.problems.length > 0 || file.documents.length !== 1 || document?.root?.kind !== 'map') return undefined
  return toValue(document.root, undefined) as Record<string, unknown>
}
