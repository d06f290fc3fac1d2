/**
 * Waivers: dated exceptions to one control (S22). Two requirements cannot be waived: S35 (accounts for non-members)
 * and S39 (no restore without a report). Pure.
 */
import type { Waiver } from '../model/entity.ts'
import { parseAddress, parseDomainName } from '../model/name.ts'
import { type Checking, checkDay } from './checking.ts'
import { placeAt, type Sheet } from './file.ts'
import type { WaiverSpec } from './schema.ts'
import { suggest } from './suggest.ts'
import type { Path } from './tree.ts'

/** The control catalogue (mission section 5): families and their last numbers. */
const controlFamilies = {
  GOV: 6,
  ACC: 7,
  NET: 5,
  DNS: 2,
  MAIL: 3,
  LOG: 4,
  SLA: 2,
  DOC: 1,
  COM: 2,
  INC: 7,
  CHG: 1,
  WVR: 1,
}

export const controlIds: readonly string[] = Object.entries(controlFamilies).flatMap(([family, last]) =>
  Array.from({ length: last }, (_, index) => `C-${family}-${String(index + 1).padStart(2, '0')}`),
)

/** Controls whose clauses include S35 or S39. */
export const neverWaived: readonly string[] = ['C-ACC-03', 'C-ACC-07', 'C-INC-03', 'C-INC-04']

/** @param isKnown whether a name is an institution, a domain or an account of the manifests. */
export function checkWaiver(
  checking: Checking,
  sheet: Sheet<'Waiver'>,
  isKnown: (subject: string) => boolean,
): Waiver | undefined {
  const { findings, today } = checking
  let sound = sheet.sound && sheet.findings.length === 0
  for (const finding of sheet.findings) findings.shape(sheet, finding)
  if (!sound) return undefined
  const spec = (sheet.value as { spec: WaiverSpec }).spec
  const fail = (path: Path, reason: string, found: string, suggestion?: string) => {
    sound = false
    findings.error('E-WAIVER', sheet, path, { reason, found, field: String(path.at(-1)) }, { suggestion })
  }
  for (const key of ['until', 'reason', 'owner', 'approvedBy'] as const) {
    if ((spec[key] ?? '').trim() === '') fail(['spec', key], 'waiver.form', key)
  }
  if (neverWaived.includes(spec.control)) fail(['spec', 'control'], 'waiver.never', spec.control)
  else if (!controlIds.includes(spec.control)) {
    fail(['spec', 'control'], 'waiver.unknown', spec.control, suggest(spec.control, controlIds))
  }
  const { reason = '', owner = '', approvedBy = '', until = '' } = spec
  const dated = checkDay(checking, sheet, ['spec', 'from'], spec.from)
  if (until === '' || !checkDay(checking, sheet, ['spec', 'until'], until) || !dated) return undefined
  if (until < spec.from) fail(['spec', 'until'], 'waiver.order', until)
  if (!sound) return undefined
  if (until < today) findings.warning('W-WAIVER-OVER', sheet, ['spec', 'until'], { until })
  // Institutions are labels, domains and addresses have a canonical form; all three go by the same key.
  const subject = parseAddress(spec.subject) ?? parseDomainName(spec.subject) ?? spec.subject
  if (!isKnown(subject)) {
    findings.warning('W-WAIVER-SUBJECT', sheet, ['spec', 'subject'], { found: spec.subject })
  }
  return {
    name: sheet.name,
    control: spec.control,
    subject,
    reason,
    owner,
    approvedBy,
    from: checking.from(spec.from),
    until: checking.until(until),
    place: placeAt(sheet, ['metadata', 'name']),
  }
}
