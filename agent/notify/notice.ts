/**
 * The words of a notice: a template without logic, filled with plain values. No template reads a file, calls a function
 * or sees more than the values given (K16); a variable that is not there is an error, not a gap.
 */
import { readFileSync } from 'node:fs'
import { Liquid } from 'liquidjs'
import type { Language } from '../model/entity.ts'

export type NoticeValues = Readonly<Record<string, string>>

const folder = new URL('../../templates/notices/', import.meta.url)

/** Two screens of text at most take a few milliseconds; more is a mistake in a template. */
const renderMsMax = 1_000
const valueMax = 2_000

const engine = new Liquid({
  strictVariables: true,
  strictFilters: true,
  ownPropertyOnly: true,
  parseLimit: 64 * 1024,
  renderLimit: renderMsMax,
  memoryLimit: 1_000_000,
  relativeReference: false,
  // Nothing may be included: a notice is one file.
  templates: {},
})

/** One line, so that no value can begin a header of its own or break out of its row (K15). */
/** What no value may hold: it would begin a line of its own. */
const breaks =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must go
  /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

function oneLine(value: string): string {
  return value.replace(breaks, ' ').slice(0, valueMax).trim()
}

/** @param values free text may keep its line breaks only under `points`. */
export function renderNotice(
  template: string,
  language: Language,
  values: NoticeValues,
): { readonly subject: string; readonly text: string } {
  const source = readFileSync(new URL(`${language}/${template}.liquid`, folder), 'utf8')
  const safe = Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      key === 'points' ? value.split(/\r?\n/).map(oneLine).join('\n') : oneLine(value),
    ]),
  )
  const rendered = engine.parseAndRenderSync(source, safe) as string
  const [first = '', ...rest] = rendered.split('\n')
  return { subject: oneLine(first.replace(/^Subject: /, '')), text: rest.join('\n').replace(/^\n+/, '') }
}
