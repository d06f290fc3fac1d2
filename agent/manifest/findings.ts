/** Where the checks put what they find: diagnostics with their places, and what each of them blocks. Pure. */
import type { Diagnostic, Severity } from '../core/diagnostic.ts'
import { keySpotOf, type Sheet, type Spot, spotOf } from './file.ts'
import type { ShapeFinding } from './shape.ts'
import type { Path } from './tree.ts'

type Where = Pick<Sheet, 'file' | 'lines' | 'spans'>

export type Extra = {
  readonly subject?: string
  readonly related?: readonly { readonly spot: Spot; readonly label: string }[]
  readonly suggestion?: string | undefined
}

export type Findings = {
  error(code: string, sheet: Where, path: Path, values: Readonly<Record<string, string>>, extra?: Extra): Diagnostic
  warning(code: string, sheet: Where, path: Path, values: Readonly<Record<string, string>>, extra?: Extra): Diagnostic
  /** A mistake of shape, under the subject that it blocks. */
  shape(sheet: Where, finding: ShapeFinding, subject?: string): Diagnostic
  add(diagnostic: Diagnostic): void
  /** Says that a finding made elsewhere blocks one more subject. */
  block(subject: string, diagnostic: Diagnostic): void
  /** Declares that something in a file cannot be told apart. */
  unreadable(file: string): void
  /** Sorted by place. */
  diagnostics(): readonly Diagnostic[]
  /** Errors by what they block. */
  blocked(): ReadonlyMap<string, readonly Diagnostic[]>
  readonly unreadableFiles: ReadonlySet<string>
}

export function createFindings(): Findings {
  const found: Diagnostic[] = []
  const blocked = new Map<string, Set<Diagnostic>>()
  const unreadableFiles = new Set<string>()

  const block = (subject: string, diagnostic: Diagnostic) => {
    const known = blocked.get(subject)
    if (known === undefined) blocked.set(subject, new Set([diagnostic]))
    else known.add(diagnostic)
  }
  const add = (diagnostic: Diagnostic) => {
    found.push(diagnostic)
    if (diagnostic.severity === 'error' && diagnostic.subject !== undefined) block(diagnostic.subject, diagnostic)
  }
  const put = (
    severity: Severity,
    code: string,
    spot: Spot,
    values: Readonly<Record<string, string>>,
    extra: Extra = {},
  ): Diagnostic => {
    const { subject, related, suggestion } = extra
    const diagnostic: Diagnostic = {
      severity,
      code,
      values,
      ...spot,
      ...(subject === undefined ? {} : { subject }),
      ...(related === undefined ? {} : { related: related.map(({ spot, label }) => ({ place: spot.place, label })) }),
      ...(suggestion === undefined ? {} : { suggestion }),
    }
    add(diagnostic)
    return diagnostic
  }

  return {
    error: (code, sheet, path, values, extra) => put('error', code, spotOf(sheet, path), values, extra),
    warning: (code, sheet, path, values, extra) => put('warning', code, spotOf(sheet, path), values, extra),
    shape: (sheet, { code, path, onKey, values, suggestion }, subject) =>
      put('error', code, onKey ? keySpotOf(sheet, path) : spotOf(sheet, path), values, {
        ...(subject === undefined ? {} : { subject }),
        suggestion,
      }),
    add,
    block,
    unreadable: file => unreadableFiles.add(file),
    diagnostics: () => found.toSorted(byPlace),
    blocked: () => new Map([...blocked].map(([subject, known]) => [subject, [...known]])),
    unreadableFiles,
  }
}

export function byPlace(a: Diagnostic, b: Diagnostic): number {
  return (
    compare(a.place?.file ?? '', b.place?.file ?? '') ||
    (a.place?.line ?? 0) - (b.place?.line ?? 0) ||
    (a.place?.column ?? 0) - (b.place?.column ?? 0) ||
    compare(a.code, b.code)
  )
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
