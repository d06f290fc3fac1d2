/** What `policy test` says: its JSON (version 1) and its lines. Pure. */
import type { Diagnostic } from '../core/diagnostic.ts'
import { escapeText, formatDiagnostic } from '../core/messages.ts'
import type { Language } from '../model/entity.ts'
import { outcomes } from '../policy-test/outcomes.ts'
import { type CaseResult, isOpinion, type RunResult } from '../policy-test/run.ts'
import type { Paint } from './paint.ts'
import type { Say } from './texts.ts'

export type PolicyTestView = ReturnType<typeof policyTestView>

export function policyTestView({ cases, reached, never }: RunResult) {
  const failed = cases.filter(({ differences }) => differences.length > 0)
  return {
    version: 1 as const,
    total: cases.length,
    passed: cases.length - failed.length,
    failed: failed.map(({ place: { file, line, column }, ...rest }) => ({ file, line, column, ...rest })),
    coverage: { total: outcomes.length, reached: reached.length, never },
  }
}

export function renderDiagnostics(diagnostics: readonly Diagnostic[], language: Language): string[] {
  return diagnostics.map(diagnostic => formatDiagnostic(diagnostic, language))
}

export function renderPolicyTest(view: PolicyTestView, say: Say, paint: Paint): string[] {
  const { total, passed, failed, coverage } = view
  return [
    ...failed.flatMap(one => failedLines(one, say, paint)),
    ...coverage.never.map(outcome => paint('dim', say('policyNever', { outcome }))),
    say('policyCovered', { reached: coverage.reached, total: coverage.total }),
    paint(passed === total ? 'add' : 'remove', say('policyCount', { passed, total })),
  ]
}

function failedLines(one: PolicyTestView['failed'][number], say: Say, paint: Paint): string[] {
  const { file, line, column, title, description, expected, found, differences } = one
  const place = `${file}:${line}:${column}`
  const told = (name: CaseResult['differences'][number], value: unknown) =>
    `${name}: ${escapeText(Array.isArray(value) ? value.join(', ') : String(value ?? '–'))}`
  const also = found.verdicts.filter(({ reason }) => isOpinion(reason)).map(({ policy }) => policy)
  return [
    paint('strong', say('policyCase', { place, title: escapeText(title), description: escapeText(description) })),
    ...differences.flatMap(name => [
      paint('add', `  ${say('policyExpected', { text: told(name, expected[name]) })}`),
      paint('remove', `  ${say('policyFound', { text: told(name, name === 'also' ? also : found[name]) })}`),
    ]),
    ...found.verdicts.map(
      ({ policy, effect, reason }) => `  ${policy.padEnd(17)}  ${effect.padEnd(6)}  ${said(reason, say)}`,
    ),
    ...(found.source === null ? [] : [`  ${say('replayBecause', { source: found.source })}`]),
    '',
  ]
}

function said(reason: string, say: Say): string {
  if (reason === 'passed') return say('passed')
  return reason === 'not concerned' ? say('notConcerned') : escapeText(reason)
}
