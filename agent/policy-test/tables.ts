/**
 * Files of decision tables, read and checked: every mistake with its place, and the word that was probably meant. A file
 * has several documents, one table each; `estate.yaml` of a folder is what its tables share. Pure.
 */
import type { Diagnostic, Place } from '../core/diagnostic.ts'
import { placeAt } from '../manifest/file.ts'
import { createFindings, type Findings } from '../manifest/findings.ts'
import { parseNetwork } from '../manifest/network.ts'
import { parseYaml } from '../manifest/parse.ts'
import { type LineStarts, lineStartsOf, placeOf } from '../manifest/scan.ts'
import {
  DecisionTable,
  type DecisionTableText,
  Estate,
  type EstateText,
  type OwnEstateText,
} from '../manifest/schema-decisions.ts'
import { checkForm } from '../manifest/shape.ts'
import { type Spans, spansOf } from '../manifest/spans.ts'
import { suggest } from '../manifest/suggest.ts'
import type { Path } from '../manifest/tree.ts'
import type { SourceFile } from '../manifest/types.ts'
import { parseAddress, parseDomainName } from '../model/name.ts'
import { countryOf } from './world.ts'

/** One document with a way back to its lines. */
type Sheet = { readonly file: string; readonly lines: LineStarts; readonly spans: Spans; readonly value: unknown }

/** An estate, or what a table lays over one, and where each thing of it stands. */
export type EstateLayer = { readonly text: OwnEstateText; readonly placeOf: (path: Path) => Place | null }

export type CaseText = DecisionTableText['cases'][number]
export type Case = { readonly text: CaseText; readonly place: Place }
export type Table = {
  readonly title: string
  readonly place: Place
  /** Lowest first; empty where the table brings none and its folder has none. */
  readonly layers: readonly EstateLayer[]
  readonly cases: readonly Case[]
}

export type Reading<T> = { readonly found: T; readonly diagnostics: readonly Diagnostic[] }

/** The estate that the tables of a folder share; null when there are mistakes in it. */
export function readEstate(source: SourceFile): Reading<EstateLayer | null> {
  const findings = createFindings()
  const [sheet] = readSheets(findings, source, Estate)
  if (sheet === undefined) return { found: null, diagnostics: findings.diagnostics() }
  const text = sheet.value as EstateText
  checkNames(findings, sheet, [], text, [text])
  return { found: layerOf(sheet, [], text), diagnostics: findings.diagnostics() }
}

/** @param base what the folder's `estate.yaml` says, when there is one. */
export function readTables(source: SourceFile, base: EstateLayer | null): Reading<readonly Table[]> {
  const findings = createFindings()
  const found = readSheets(findings, source, DecisionTable).map((sheet): Table => {
    const { title, estate, cases } = sheet.value as DecisionTableText
    const layers = base === null ? [] : [base]
    if (estate !== undefined) {
      checkNames(findings, sheet, ['estate'], estate, [...layers.map(({ text }) => text), estate])
      layers.push(layerOf(sheet, ['estate'], estate))
    }
    return {
      title,
      place: placeAt(sheet, ['title']),
      layers,
      cases: cases.map((text, index) => ({ text, place: placeAt(sheet, ['cases', index, 'description']) })),
    }
  })
  return { found, diagnostics: findings.diagnostics() }
}

/** The layers as one estate; parts that no layer has are empty. */
export function mergeLayers(layers: readonly EstateLayer[]): EstateText {
  const merged: EstateText = { institutions: {}, domains: {}, accounts: {} }
  for (const { text } of layers)
    Object.assign(merged, text, {
      institutions: { ...merged.institutions, ...text.institutions },
      domains: { ...merged.domains, ...text.domains },
      accounts: { ...merged.accounts, ...text.accounts },
    })
  return merged
}

const failureCodes = { 'too-large': 'E-FILE-SIZE', unreadable: 'E-FILE-UNREADABLE', 'not-utf8': 'E-FILE-UTF8' } as const

/** The documents whose shape is right; what is wrong with the others is among the findings. */
function readSheets(findings: Findings, source: SourceFile, schema: Parameters<typeof checkForm>[0]): Sheet[] {
  const file = source.path
  if ('failure' in source) {
    const place = { file, line: 1, column: 1 }
    findings.add({ severity: 'error', code: failureCodes[source.failure], values: { file }, place })
    return []
  }
  const lines = lineStartsOf(source.text)
  const { documents, problems } = parseYaml(source.text)
  for (const { code, start, end, values } of problems)
    findings.add({ severity: 'error', code, values, place: placeOf(file, lines, start, end) })
  return documents.flatMap(({ root, sound }) => {
    if (!sound) return []
    const { value, findings: shape } = checkForm(schema, root)
    const sheet: Sheet = { file, lines, spans: spansOf(root), value }
    for (const finding of shape) findings.shape(sheet, finding)
    return shape.length === 0 ? [sheet] : []
  })
}

function layerOf(sheet: Sheet, prefix: Path, text: OwnEstateText): EstateLayer {
  const has = (path: Path) => {
    let at: unknown = text
    for (const step of path) {
      if (typeof at !== 'object' || at === null) return false
      at = (at as Record<string | number, unknown>)[step]
    }
    return at !== undefined
  }
  return { text, placeOf: path => (has(path) ? placeAt(sheet, [...prefix, ...path]) : null) }
}

/** What a schema can't say: names that are none, and parts of an estate that name others which are not there. */
function checkNames(
  findings: Findings,
  sheet: Sheet,
  prefix: Path,
  own: OwnEstateText,
  layers: readonly OwnEstateText[],
): void {
  const institutions = layers.flatMap(layer => Object.keys(layer.institutions ?? {}))
  const domains = layers.flatMap(layer => Object.keys(layer.domains ?? {}))
  const missing = (code: string, path: Path, name: string, known: readonly string[]) =>
    findings.error(
      code,
      sheet,
      [...prefix, ...path],
      { name, known: known.join(', ') },
      { suggestion: suggest(name, known) },
    )
  const checkNetworks = (path: Path, networks: readonly string[] = []) => {
    for (const [index, found] of networks.entries()) {
      const parsed = parseNetwork(found)
      if ('network' in parsed) continue
      const values = { found, reason: `network.${parsed.problem}` }
      findings.error('E-NETWORK', sheet, [...prefix, ...path, index], values, { suggestion: parsed.suggestion })
    }
  }
  checkNetworks(['national', 'networks'], own.national?.networks)
  for (const { code, values, severity } of countryOf(own.country ?? '').diagnostics)
    if (severity === 'error') findings.error(code, sheet, [...prefix, 'country'], values ?? {})
  for (const [name, institution] of Object.entries(own.institutions ?? {})) {
    checkNetworks(['institutions', name, 'networks'], institution.networks)
    for (const [index, server] of (institution.servers ?? []).entries())
      checkNetworks(['institutions', name, 'servers', index, 'networks'], server.networks)
  }
  for (const [name, domain] of Object.entries(own.domains ?? {})) {
    if (parseDomainName(name) !== name)
      findings.error('E-NAME', sheet, [...prefix, 'domains', name], { found: name, reason: 'name.host' })
    if (!institutions.includes(domain.institution))
      missing('E-ESTATE-INSTITUTION', ['domains', name, 'institution'], domain.institution, institutions)
  }
  for (const address of Object.keys(own.accounts ?? {})) {
    const path = ['accounts', address]
    if (parseAddress(address) !== address) findings.error('E-ADDRESS', sheet, [...prefix, ...path], { found: address })
    else {
      const domain = address.slice(address.lastIndexOf('@') + 1)
      if (!domains.includes(domain)) missing('E-ESTATE-DOMAIN', path, domain, domains)
    }
  }
}
