/**
 * Text to trees: YAML 1.2 core without the parts that make two readers see two things. Aliases, anchors, tags, merge
 * keys, directives, duplicate keys and `__proto__` are refused with their place. Depth and number of keys are counted
 * while the tokens go by, before anything recursive or quadratic sees them (T6, T7, T8). Pure; never throws.
 */
import { Composer, isMap, isScalar, isSeq, Lexer, type Node, type Pair, Parser } from 'yaml'
import { parseEveryday } from './everyday.ts'
import { findBadCharacters, findBadValue, lineStartsOf } from './scan.ts'
import type { MapEntry, ScalarNode, TreeNode } from './tree.ts'
import type { YamlDocument, YamlFile, YamlProblem } from './yaml-file.ts'

const depthMax = 64 // the deepest manifest has eight levels
const keysMax = 2000 // the library compares each key of a map with each other one
const itemsMax = 2000 // the longest list there can be is that of the accounts, 1,900
const documentsMax = 2000 // as many as fit a file that says something in each
const linesMax = 30_000 // a full file of accounts has a third of it
const lexemesMax = 150_000 // a full file of accounts has some 120,000; blank lines or commas alone have more
const problemsMax = 20 // after a syntax error the next ones are its echoes

export function parseYaml(text: string): YamlFile {
  const problems = findBadCharacters(text).map(({ code, offset, name }) => ({
    code,
    start: offset,
    end: offset + 1,
    values: { character: name },
  }))
  // Hidden characters make every later finding doubtful, so that the file goes no further.
  if (problems.length > 0) return { documents: [], problems }
  const everyday = parseEveryday(text)
  return everyday === undefined ? parseFull(text) : { documents: everyday, problems }
}

/** As `parseYaml`, by the library alone, for text without hidden characters. */
export function parseFull(text: string): YamlFile {
  const problems: YamlProblem[] = []
  const last = lineStartsOf(text)[linesMax]
  if (last !== undefined) {
    problems.push({ code: 'E-YAML-LINES', start: last, end: last, values: { max: String(linesMax) } })
    return { documents: [], problems }
  }
  const tokens = readTokens(text, problems)
  if (tokens === undefined) return { documents: [], problems }
  const documents: YamlDocument[] = []
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    strict: true,
    stringKeys: true,
    uniqueKeys: false, // told apart below, in linear time and with both places
    prettyErrors: false,
    logLevel: 'silent',
  })
  for (const document of withoutTraces(composer.compose(tokens))) {
    for (const error of document.errors) addSyntaxError(problems, error)
    if (document.contents === null) continue
    const before = problems.length
    const root = toTree(document.contents, problems)
    const inside = problems.some(({ start }) => start >= document.range[0] && start <= document.range[2])
    documents.push({ root, sound: document.errors.length === 0 && problems.length === before && !inside })
  }
  return { documents, problems: problems.slice(0, problemsMax) }
}

/** The library makes an Error for each finding; 200,000 stack traces would take two seconds that nobody reads. */
function withoutTraces<T>(items: Iterable<T>): readonly T[] {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return [...items]
  } finally {
    Error.stackTraceLimit = limit
  }
}

type Tokens = ReturnType<Parser['next']> extends Generator<infer T, unknown, unknown> ? T[] : never

/** All tokens of the text, or undefined when a limit stops the reading. */
function readTokens(text: string, problems: YamlProblem[]): Tokens | undefined {
  const parser = new Parser()
  const tokens: Tokens = []
  const count = { lexemes: 0, documents: 0, errors: 0 }
  let content = false
  for (const lexeme of new Lexer().lex(text)) {
    const start = parser.offset
    if (content) content = false
    else if (lexeme === '\x1f') content = true
    else {
      if (lexeme === '---' || lexeme === '...') count.documents += 1
      const code = refusedLexeme(lexeme)
      if (code !== undefined && problems.length < problemsMax) {
        problems.push({ code, start, end: start + lexeme.trimEnd().length, values: { text: lexeme.trimEnd() } })
      }
    }
    count.lexemes += 1
    for (const token of parser.next(lexeme)) {
      if (token.type === 'error') count.errors += 1
      tokens.push(token)
    }
    const over = limitOf(parser.stack, count)
    if (over !== undefined) {
      problems.push({ code: over.code, start, end: start + 1, values: { max: String(over.max) } })
      return undefined
    }
    // The rest is noise; what has been found is in the tokens.
    if (count.errors > problemsMax) break
  }
  for (const token of parser.end()) tokens.push(token)
  return tokens
}

type Limit = { readonly code: string; readonly max: number }

/** The limit that the reading has just passed. `stack` holds the document, the open collections, perhaps a scalar. */
function limitOf(
  stack: Parser['stack'],
  count: { readonly lexemes: number; readonly documents: number },
): Limit | undefined {
  if (stack.length > depthMax + 2) return { code: 'E-YAML-DEPTH', max: depthMax }
  if (count.lexemes > lexemesMax) return { code: 'E-YAML-TOKENS', max: lexemesMax }
  if (count.documents > documentsMax) return { code: 'E-YAML-DOCUMENTS', max: documentsMax }
  const top = stack.at(-1)
  if (top === undefined || !('items' in top)) return undefined
  const isMapping = top.type === 'block-map' || (top.type === 'flow-collection' && top.start.source === '{')
  if (isMapping && top.items.length > keysMax) return { code: 'E-YAML-KEYS', max: keysMax }
  return top.items.length > itemsMax ? { code: 'E-YAML-ITEMS', max: itemsMax } : undefined
}

function refusedLexeme(lexeme: string): string | undefined {
  switch (lexeme.charCodeAt(0)) {
    case 0x25: // %
      return 'E-YAML-DIRECTIVE'
    case 0x26: // &
    case 0x2a: // *
      return 'E-YAML-ALIAS'
    case 0x21: // !
      return 'E-YAML-TAG'
    default:
      return undefined
  }
}

function addSyntaxError(
  problems: YamlProblem[],
  error: { code: string; message: string; pos: [number, number] },
): void {
  if (problems.length >= problemsMax) return
  const [start, end] = error.pos
  if (error.code === 'NON_STRING_KEY') problems.push({ code: 'E-YAML-KEY', start, end, values: {} })
  else problems.push({ code: 'E-YAML-SYNTAX', start, end, values: { reason: error.code, message: error.message } })
}

function toTree(node: Node | null, problems: YamlProblem[]): TreeNode {
  const [start, end] = node?.range ?? [0, 0]
  if (isMap(node)) return { kind: 'map', start, end, entries: toEntries(node.items, problems) }
  if (isSeq(node)) {
    return { kind: 'sequence', start, end, items: node.items.map(item => toTree(item as Node | null, problems)) }
  }
  if (isScalar(node)) return toScalar(node, start, end, problems)
  // An alias: refused already by its token.
  return { kind: 'scalar', start, end, value: null, plain: undefined }
}

function toScalar(
  node: { value: unknown; type?: string; source?: string },
  start: number,
  end: number,
  problems: YamlProblem[],
): ScalarNode {
  const plain = node.type === 'PLAIN' ? (node.source ?? '') : undefined
  const value = node.value
  if (typeof value === 'string') {
    // Only an escape in double quotes can make a character that the scan of the text did not see.
    const found = node.type === 'QUOTE_DOUBLE' ? findBadValue(value) : undefined
    if (found !== undefined) problems.push({ code: found.code, start, end, values: { character: found.name } })
    return { kind: 'scalar', start, end, value, plain }
  }
  if (typeof value === 'number' || typeof value === 'boolean') return { kind: 'scalar', start, end, value, plain }
  return { kind: 'scalar', start, end, value: null, plain }
}

function toEntries(pairs: readonly Pair[], problems: YamlProblem[]): ReadonlyMap<string, MapEntry> {
  const entries = new Map<string, MapEntry>()
  for (const pair of pairs) {
    const keyNode = pair.key as Node | null
    const value = toTree(pair.value as Node | null, problems)
    if (!isScalar(keyNode)) continue // refused as a key that is no text
    const [start, end] = keyNode.range ?? [0, 0]
    const name = typeof keyNode.value === 'string' ? keyNode.value : (keyNode.source ?? '')
    const problem = refusedKey(name, keyNode.type === 'PLAIN')
    if (problem !== undefined) problems.push({ code: problem, start, end, values: { key: name } })
    const bad = keyNode.type === 'QUOTE_DOUBLE' ? findBadValue(name) : undefined
    if (bad !== undefined) problems.push({ code: bad.code, start, end, values: { character: bad.name } })
    const first = entries.get(name)
    if (first !== undefined) {
      const related = { ...first.key, label: 'first' }
      problems.push({ code: 'E-YAML-DUPLICATE', start, end, values: { key: name }, related })
      continue
    }
    if (problem === undefined) entries.set(name, { key: { start, end }, value: fixEmpty(value, end) })
  }
  return entries
}

function refusedKey(name: string, plain: boolean): string | undefined {
  if (name === '__proto__') return 'E-YAML-PROTO'
  return plain && name === '<<' ? 'E-YAML-MERGE' : undefined
}

/** A key without any value has no node; it stands behind its key. */
function fixEmpty(value: TreeNode, keyEnd: number): TreeNode {
  return value.start === 0 && value.end === 0 && keyEnd > 0 ? { ...value, start: keyEnd, end: keyEnd } : value
}
