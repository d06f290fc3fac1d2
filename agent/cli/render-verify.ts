/** What was seen, in words: one line for each thing that is not as it should be, and the count. Pure. */
import type { FindingView, VerificationView } from '../control/verification.ts'
import type { Paint } from './paint.ts'
import { printable, type Say } from './texts.ts'

/** Lines shown before the rest is only counted. */
const linesMax = 60

/** Nothing where nothing was looked at. */
export function verificationLines(view: VerificationView | null, say: Say, paint: Paint): string[] {
  if (view === null) return []
  const { findings, probes, asWanted, left } = view
  const lines = findings.slice(0, linesMax).map(finding => findingLine(finding, say, paint))
  if (findings.length > linesMax) lines.push(say('moreLines', { count: findings.length - linesMax }))
  lines.push(paint(findings.length === 0 ? 'strong' : 'warn', say('seen', { probes, asWanted })))
  if (left > 0) lines.push(say('verifyLeft', { left }))
  return lines
}

export function renderVerify(view: VerificationView | null, say: Say, paint: Paint): string[] {
  return view === null ? [say('verifyNothing')] : verificationLines(view, say, paint)
}

function findingLine(finding: FindingView, say: Say, paint: Paint): string {
  const { result } = finding
  const head = result === 'otherwise' ? paint('remove', say('seenOtherwise')) : paint('warn', say('seenUnproved'))
  return `${head}  ${printable(sentence(finding, say))}`
}

function sentence({ kind, domain, account, door, from, wanted, detail }: FindingView, say: Say): string {
  if (kind === 'zone') return say('seenZone', { domain, detail })
  if (kind === 'delivery') return say('seenDelivery', { account: account ?? '', detail })
  if (account === null) return say('seenUntried', { domain, detail })
  const values = { account, door: door ?? '', from: from ?? '', detail }
  return say(wanted === 'accepted' ? 'seenAccepted' : 'seenRefused', values)
}
