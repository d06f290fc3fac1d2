/** What `policy diff` and `policy check` say: JSON (version 1) and lines. Pure. */
import type { Block } from '../analysis/blocks.ts'
import type { Finding } from '../analysis/findings.ts'
import { findIdleExceptions } from '../analysis/findings.ts'
import { type Fleet, permits, type Question, whatOf as whatGiven } from '../analysis/fleet.ts'
import { type AddressSet, everywhere, formatInterval } from '../analysis/intervals.ts'
import type { Difference, Line, Origin } from '../analysis/lines.ts'
import { formatInstant } from '../core/clock.ts'
import { decide } from '../decision/decide.ts'
import type { Paint } from './paint.ts'
import type { Say, TextKey } from './texts.ts'

/** Lines shown before the rest is only counted; `--json` has all. */
const linesMax = 100
/** Networks and blocks named on a line before the rest is only counted. */
const itemsMax = 6

type Shown = {
  readonly before: Fleet
  readonly after: Fleet
  readonly only: string | undefined
  readonly pathOf: (file: string) => string
}

export function diffView({ lines, settings, lax }: Difference, { before, after, only, pathOf }: Shown) {
  const shown = lines.filter(({ direction }) => only === undefined || direction === only)
  return {
    version: 1 as const,
    at: formatInstant(before.at),
    lines: shown.map(line => {
      const { direction, right, accounts, witness } = line
      return {
        direction,
        right,
        accounts,
        what: whatOf(line),
        ...('blocks' in line && { blocks: line.blocks }),
        ...('origins' in line && { origins: line.origins }),
        ...(line.right === 'speak' && { before: line.before, after: line.after }),
        witness: {
          request: toAttributes(witness),
          before: replyOf(before, witness),
          after: replyOf(after, witness),
        },
      }
    }),
    settings,
    lax,
    findings: only === 'lost' ? [] : findingViews(findIdleExceptions(after), pathOf),
    totals: {
      gained: lines.filter(({ direction }) => direction === 'gained').length,
      lost: lines.filter(({ direction }) => direction === 'lost').length,
      accounts: new Set(lines.flatMap(({ accounts }) => accounts)).size,
    },
  }
}

export type DiffView = ReturnType<typeof diffView>
type LineView = DiffView['lines'][number]
type Words = { readonly text: TextKey; readonly values: Readonly<Record<string, string | Words>> } | string

function toAttributes({ state, clientAddress, sender, recipient, login }: Question) {
  return {
    protocol_state: state,
    client_address: clientAddress,
    sender,
    recipient,
    sasl_username: login,
  }
}

/** What Postfix would be told, or why it would not come to asking. */
function replyOf(fleet: Fleet, asked: Question): { readonly permitted: boolean; readonly reply: string } {
  const circumstances = { at: fleet.at, usage: null }
  const { reply, effect } = decide(fleet.snapshot, { ...asked, instance: '' }, circumstances)
  const permitted = permits(fleet, asked)
  if (permitted || effect !== 'dunno') return { permitted, reply: reply.trim() }
  return { permitted, reply: asked.login === '' ? 'diffNotHere' : 'diffNoLogin' }
}

/** Blocks, origins, networks or names, as keys of words with their values. */
function whatOf(line: Line): readonly Words[] {
  switch (line.right) {
    case 'log-in':
      return [...networks(line.clients), ...(line.unknown ? [{ text: 'diffUnknown' as const, values: {} }] : [])]
    case 'write':
      return line.blocks.map(blockWords)
    case 'hear':
      return line.origins.map(originWords)
    case 'sign':
      return line.names ?? [{ text: 'diffAnyName', values: {} }]
    case 'relay':
    case 'speak':
      return networks(line.clients)
    case 'name':
      return []
  }
}

function networks(clients: AddressSet): Words[] {
  return clients.length === everywhere.length && clients.every(([from], at) => from === everywhere[at]?.[0])
    ? [{ text: 'clientAny', values: {} }]
    : clients.map(formatInterval)
}

function blockWords(block: Block): Words {
  const text = `block${block.kind[0]!.toUpperCase()}${block.kind.slice(1)}` as TextKey
  const words: Words = { text, values: 'name' in block ? { name: block.name } : {} }
  const within = 'within' in block ? block.within : null
  return within === null ? words : { text: 'blockWithin', values: { block: words, within } }
}

function originWords(origin: Origin): Words {
  const block = blockWords(origin.from)
  switch (origin.way) {
    case 'login':
      return { text: 'originLogin', values: { block } }
    case 'relay':
      return { text: 'originRelay', values: { block } }
    case 'stranger': {
      const { isKnown, ownBefore, ownAfter, nationalBefore, nationalAfter, unknownBefore, unknownAfter } = origin.client
      const text = !isKnown
        ? 'diffUnknown'
        : ownBefore || ownAfter
          ? 'clientOwn'
          : nationalBefore || nationalAfter
            ? 'clientNational'
            : unknownBefore || unknownAfter
              ? 'clientNowhere'
              : 'clientForeign'
      return { text: 'originStranger', values: { block, client: { text, values: {} } } }
    }
  }
}

function sayWords(words: Words, say: Say): string {
  if (typeof words === 'string') return words
  const values = Object.entries(words.values).map(([name, value]) => [name, sayWords(value, say)])
  return say(words.text, Object.fromEntries(values))
}

const rightTexts = {
  'log-in': 'diffLogIn',
  write: 'diffWrite',
  hear: 'diffHear',
  sign: 'diffSign',
  relay: 'diffRelay',
  name: 'diffName',
  speak: 'diffSpeak',
} as const

export function renderDiff(view: DiffView, say: Say, paint: Paint): string[] {
  const { lines, settings, lax, findings, totals } = view
  const more = lines.length - linesMax
  return [
    ...lines.slice(0, linesMax).flatMap(line => lineTexts(line, say, paint)),
    ...(more > 0 ? [say('moreLines', { count: more })] : []),
    ...settings.map(setting => paint('change', say('diffSetting', setting))),
    ...(lax.length > 0 ? [paint('warn', say('diffLax', { policies: lax.join(', ') }))] : []),
    ...(findings.length > 0 ? renderFindings(findings, say, paint) : []),
    totals.gained + totals.lost + settings.length === 0
      ? paint('add', say('diffNone'))
      : paint('strong', say('diffSummary', totals)),
  ]
}

function lineTexts(line: LineView, say: Say, paint: Paint): string[] {
  const { direction, right, accounts, witness } = line
  const what = listed([...new Set(line.what.map(words => sayWords(words, say)))], say)
  const who = right === 'speak' ? say('diffClients', { clients: what }) : whoText(accounts, say) || say('diffEverybody')
  const names = (list: readonly string[] | undefined) => list?.join(', ') || say('diffNobodyElse')
  const values = right === 'speak' ? { before: names(line.before), after: names(line.after) } : { what }
  const asked = Object.entries(witness.request)
    .filter(([name, value]) => value !== '' || name === 'sender')
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
  const reply = ({ reply: text }: { readonly reply: string }) =>
    text === 'diffNotHere' || text === 'diffNoLogin' ? say(text) : text
  const [verb, style] = direction === 'gained' ? (['diffGained', 'add'] as const) : (['diffLost', 'remove'] as const)
  return [
    `${paint('strong', who)} ${paint(style, say(verb))} ${say(rightTexts[right], values)}`,
    paint('dim', `  ${say('diffWitness', { asked })}`),
    `    ${say('diffNow', { before: reply(witness.before) })}`,
    `    ${say('diffThen', { after: reply(witness.after) })}`,
  ]
}

function listed(texts: readonly string[], say: Say): string {
  if (texts.length <= itemsMax) return texts.join(', ')
  return say('diffMore', { first: texts.slice(0, itemsMax).join(', '), count: texts.length - itemsMax })
}

function whoText(accounts: readonly string[], say: Say): string {
  const [first = ''] = accounts
  if (first === '*') return say('diffAnyName')
  const name = first.startsWith('*@')
    ? say('diffNames', { domain: first.slice(2) })
    : first.startsWith('<>@')
      ? say('diffBounces', { institution: first.slice(3) })
      : first
  return accounts.length > 1 ? say('diffMore', { first: name, count: accounts.length - 1 }) : name
}

export function findingViews(findings: readonly Finding[], pathOf: (file: string) => string) {
  const placeOf = ({ place: { file, line, column } }: Finding['exception']) => `${pathOf(file)}:${line}:${column}`
  return findings.map(({ account, exception, why, by }) => ({
    place: placeOf(exception),
    account,
    kind: exception.kind,
    what: whatGiven(exception),
    request: exception.request,
    why,
    by: by === null ? null : placeOf(by),
  }))
}

const whyTexts = {
  over: 'whyOver',
  closed: 'whyClosed',
  needless: 'whyNeedless',
  nobody: 'whyNobody',
  shadowed: 'whyShadowed',
} as const

export function renderFindings(findings: ReturnType<typeof findingViews>, say: Say, paint: Paint): string[] {
  if (findings.length === 0) return [paint('add', say('findingNone'))]
  return [
    ...findings.map(({ place, why, by, ...values }) => {
      const reason = say(whyTexts[why], { by: by ?? '' })
      return `${paint('warn', place)}  ${say('findingWhy', { ...values, why: reason })}`
    }),
    paint('warn', say('findingTotal', { count: findings.length })),
  ]
}
