/**
 * One file, read on its own: its documents with their kinds, names and mistakes of shape. The result depends on the
 * bytes of this file alone, so that it is kept until they change. Pure.
 */
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import { parseYaml } from './parse.ts'
import { fileBytesMax, type LineStarts, lineStartsOf, placeOf } from './scan.ts'
import { checkShape, type Kind, manifestKinds, type ShapeFinding } from './shape.ts'
import { locate, locateKey, type Spans, spansOf } from './spans.ts'
import { suggest } from './suggest.ts'
import { childOf, formatPointer, type Path, type TreeNode } from './tree.ts'
import type { SourceFile } from './types.ts'
import type { YamlDocument, YamlProblem } from './yaml-file.ts'

/** A document that can be told apart: it has a kind and a name. */
export type Sheet<K extends Kind = Kind> = {
  readonly file: string
  readonly lines: LineStarts
  readonly kind: K
  readonly name: string
  readonly spans: Spans
  /** Kept where something in it is wrong: its text still tells names. */
  readonly root: TreeNode | null
  readonly value: unknown
  readonly findings: readonly ShapeFinding[]
  /** False when YAML itself was refused in it: it tells what there is, not how it is. */
  readonly sound: boolean
}

export type ParsedFile = {
  readonly path: string
  readonly sheets: readonly Sheet[]
  readonly diagnostics: readonly Diagnostic[]
  /** Something in it could not be read or told apart. */
  readonly unreadable: boolean
}

export const apiVersion = 'mailwarden/v1'

/** The agent's own configuration may lie beside the manifests: `validate` judges it, nothing is made of it. */
const kindsBesideManifests: readonly Kind[] = [...manifestKinds, 'Agent']

export function parseManifestFile(source: SourceFile): ParsedFile {
  return parseFile(source, kindsBesideManifests)
}

const failureCodes = { 'too-large': 'E-FILE-SIZE', unreadable: 'E-FILE-UNREADABLE', 'not-utf8': 'E-FILE-UTF8' } as const

/** As `parseManifestFile`, for the kinds given. */
export function parseFile(source: SourceFile, kinds: readonly Kind[]): ParsedFile {
  const file = source.path
  if ('failure' in source) return failed(file, source.failure)
  if (Buffer.byteLength(source.text) > fileBytesMax) return failed(file, 'too-large')
  const lines = lineStartsOf(source.text)
  const yaml = parseYaml(source.text)
  const diagnostics = yaml.problems.map(problem => toDiagnostic(file, lines, problem))
  const versions: Diagnostic[] = []
  const sheets: Sheet[] = []
  for (const document of yaml.documents) {
    const sheet = toSheet(file, lines, document, kinds)
    if ('code' in sheet) diagnostics.push(sheet)
    else {
      sheets.push(sheet)
      if (sheet.sound) versions.push(...checkVersion(sheet, document.root))
    }
  }
  const unreadable = diagnostics.length > 0
  return { path: file, sheets, diagnostics: [...diagnostics, ...versions], unreadable }
}

function checkVersion(sheet: Sheet, root: TreeNode): Diagnostic[] {
  const version = childOf(root, 'apiVersion')
  if (version?.kind === 'scalar' && version.value === apiVersion) return []
  const found = version?.kind === 'scalar' ? String(version.plain ?? version.value) : ''
  return [finding(sheet, 'E-API-VERSION', ['apiVersion'], { found, known: apiVersion }, apiVersion)]
}

function failed(file: string, failure: keyof typeof failureCodes): ParsedFile {
  const place = { file, line: 1, column: 1 }
  const diagnostic: Diagnostic = { severity: 'error', code: failureCodes[failure], values: { file }, place }
  return { path: file, sheets: [], diagnostics: [diagnostic], unreadable: true }
}

function toDiagnostic(file: string, lines: LineStarts, problem: YamlProblem): Diagnostic {
  const { code, start, end, values, related } = problem
  const place = placeOf(file, lines, start, end)
  if (related === undefined) return { severity: 'error', code, values, place }
  const other = { place: placeOf(file, lines, related.start, related.end), label: related.label }
  return { severity: 'error', code, values, place, related: [other] }
}

type Root = Pick<Sheet, 'file' | 'lines' | 'spans'>

function toSheet(file: string, lines: LineStarts, document: YamlDocument, kinds: readonly Kind[]): Sheet | Diagnostic {
  const { root, sound } = document
  const spans = spansOf(root)
  const at: Root = { file, lines, spans }
  if (root.kind !== 'map') return finding(at, 'E-DOCUMENT', [], {})
  const kindNode = childOf(root, 'kind')
  const word = kindNode?.kind === 'scalar' ? String(kindNode.plain ?? kindNode.value ?? '') : ''
  const kind = kinds.find(known => known === word)
  if (kind === undefined) {
    const values = { found: word, known: kinds.join(', ') }
    return finding(at, 'E-KIND', kindNode === undefined ? [] : ['kind'], values, suggest(word, kinds))
  }
  const nameNode = childOf(childOf(root, 'metadata'), 'name')
  const name = nameNode?.kind === 'scalar' ? String(nameNode.plain ?? nameNode.value ?? '') : ''
  if (name === '' && kind !== 'Agent') return finding(at, 'E-DOCUMENT-NAME', ['metadata', 'name'], { kind })
  const shape = sound ? checkShape(kind, root) : { value: undefined, findings: [] }
  // The version has its own finding.
  const findings = shape.findings.filter(({ path, values }) => path[0] !== 'apiVersion' && values.key !== 'apiVersion')
  const kept = sound && findings.length === 0 ? null : root
  return { file, lines, kind, name, spans, root: kept, value: shape.value, findings, sound }
}

/** An error at a path of a document, without a subject. */
export function finding(
  sheet: Root,
  code: string,
  path: Path,
  values: Readonly<Record<string, string>>,
  suggestion?: string,
): Diagnostic {
  const { place, pointer } = spotOf(sheet, path)
  const near = suggestion === undefined ? {} : { suggestion }
  return { severity: 'error', code, values, place, pointer, ...near }
}

export type Spot = { readonly place: Place; readonly pointer: string }

/** Place and pointer of a path, or of the nearest thing above it that is there. */
export function spotOf({ file, lines, spans }: Root, path: Path): Spot {
  const { span, path: found } = locate(spans, path)
  return { place: placeOf(file, lines, span.start, span.end), pointer: formatPointer(found) }
}

/** Place and pointer of the key at the end of a path. */
export function keySpotOf({ file, lines, spans }: Root, path: Path): Spot {
  const { span, path: found } = locateKey(spans, path)
  return { place: placeOf(file, lines, span.start, span.end), pointer: formatPointer(found) }
}

/** The place alone, for what is no finding. */
export function placeAt({ file, lines, spans }: Root, path: Path): Place {
  const { span } = locate(spans, path)
  return placeOf(file, lines, span.start, span.end)
}
