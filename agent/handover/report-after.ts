/**
 * The report after an incident (*Informe posterior*, mission section 9), in Markdown: filled in from the register as far
 * as it tells, with room for what only people know. Times are those of entries; what they cannot prove is not claimed. Pure.
 */
import { formatLocal, parseInstant } from '../core/clock.ts'
import type { Stored } from '../register/register.ts'
import type { Case } from './case.ts'
import { happeningOf, labelIn } from './words.ts'

/** Contract section 6: the times to beat. */
const targetsMs = { door: 500, lever: 2_000 } as const

export function reportAfter({ incident, entries, operator, institution, bundles, language }: Case): string {
  const say = labelIn(language)
  const { scope } = incident
  const ended = entries.findLast(({ kind }) => kind === 'service.restored' || kind === 'incident.annulled')
  const instant = (ms: number | null) => (ms === null ? say('never') : new Date(ms).toISOString())
  const sinceMs = ({ at }: Stored) => (parseInstant(at) ?? 0) - incident.declaredAt
  const summary: [string, string][] = [
    [say('class'), incident.class],
    [say('scope'), scope.account ?? scope.domain],
    [say('institution'), institution ?? '–'],
    [say('operator'), operator.name],
    [say('declared'), instant(incident.declaredAt)],
    [say('contained'), instant(incident.containedAt)],
    [say('ended'), ended === undefined ? say('open') : ended.at],
    ...(incident.drill || incident.liveDrill ? [[say('drill'), '✓'] as [string, string]] : []),
    ...incident.reasons.map(({ text }): [string, string] => [say('reason'), text ?? say('erased')]),
  ]
  const timeline = entries.map(entry => [
    entry.at,
    formatLocal(parseInstant(entry.at) ?? 0, operator.timeZone),
    durationOf(sinceMs(entry)),
    entry.actor.person,
    happeningOf(entry, language),
    `#${entry.index}`,
  ])
  const failures = entries.filter(isFailure)
  const notices = entries.filter(({ kind }) => kind.startsWith('notice.'))
  return [
    `# ${say('title')}: ${incident.id}`,
    section(say('summary'), table([say('field'), say('value')], summary)),
    section(
      say('timeline'),
      table([say('instant'), say('local'), say('after'), say('who'), say('what'), say('entry')], timeline),
    ),
    section(say('targets'), [
      say('targetsNote'),
      '',
      ...table([say('what'), say('measured'), say('target'), ''], times()),
    ]),
    section(say('people'), listOf([...peopleOf(entries)].map(([person, role]) => `${person} (${role})`))),
    section(say('notices'), listOf(notices.map(entry => `${entry.at} ${happeningOf(entry, language)}`))),
    section(
      say('evidence'),
      listOf(bundles.map(({ version, manifest, gaps }) => `v${version}: ${manifest} (${gaps})`)),
    ),
    section(
      say('failures'),
      listOf(failures.map(entry => `${entry.at} ${happeningOf(entry, language)} (#${entry.index})`)),
    ),
    section(
      say('toFill'),
      (['worked', 'changes', 'owner', 'day'] as const).map(label => `- ${say(label)}: `),
    ),
  ]
    .join('\n\n')
    .concat('\n')

  function listOf(rows: readonly string[]): string[] {
    return rows.length === 0 ? [say('none')] : rows.map(row => `- ${cell(row)}`)
  }

  function times(): string[][] {
    const levers = incident.levers.map(lever => {
      const proved = entries.find(
        ({ kind, facts }) => kind === 'suspension.lever' && facts['lever'] === lever && facts['state'] === 'verified',
      )
      return timeRow(say('leverVerified').replace('{name}', lever), proved, targetsMs.lever)
    })
    const names = new Set(entries.flatMap(entry => (entry.kind === 'suspension.door' ? doorOf(entry) : [])))
    const doors = [...names].toSorted().map(name => {
      const closed = entries.find(
        entry => entry.kind === 'suspension.door' && doorOf(entry) === name && entry.facts['open'] === 0,
      )
      return timeRow(say('doorClosed').replace('{name}', name), closed, targetsMs.door)
    })
    // One on paper closes nothing: there is no time to tell.
    return incident.drill ? [] : [...doors, ...levers]
  }

  function timeRow(what: string, entry: Stored | undefined, target: number): string[] {
    const took = entry === undefined ? null : sinceMs(entry)
    const verdict = took !== null && took <= target ? say('met') : say('missed')
    return [what, took === null ? say('never') : `${took} ms`, `${target} ms`, verdict]
  }
}

const doorOf = ({ facts }: Stored) => `${facts['host']}/${facts['door']}`

function isFailure({ kind, facts }: Stored): boolean {
  return (
    facts['state'] === 'failed' ||
    facts['failed'] === true ||
    kind.endsWith('.reopened') ||
    (kind === 'incident.evidence' && Number(facts['gaps']) > 0)
  )
}

function peopleOf(entries: readonly Stored[]): ReadonlyMap<string, string> {
  return new Map(entries.map(({ actor }) => [actor.person, actor.role]))
}

function durationOf(ms: number): string {
  if (Math.abs(ms) < 60_000) return `${ms} ms`
  const minutes = Math.floor(ms / 60_000)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function section(title: string, lines: readonly string[]): string {
  return [`## ${title}`, '', ...lines].join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)]
}

/** What people wrote stays in its cell, and is no markup: Markdown takes HTML, and browsers show it. */
function cell(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/[\\|`*_[\]]/g, character => `\\${character}`)
}
