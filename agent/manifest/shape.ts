/**
 * The shape of one document, judged by the schema of its kind alone: unknown and missing keys, types, words, forms.
 * All mistakes of a document in one run, each with its path. What needs other documents is in `check.ts`. It reads the
 * schemas that the package brings along, and else nothing.
 */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import { assert } from '../core/assert.ts'
import { dayPattern, sizePattern } from './forms.ts'
import { suggest } from './suggest.ts'
import { childOf, type Path, type TreeNode, toValue } from './tree.ts'

export const manifestKinds = ['Institution', 'MailDomain', 'AccountList', 'Waiver'] as const
export type ManifestKind = (typeof manifestKinds)[number]
export type Kind = ManifestKind | 'Agent'

/** JSON Schema 2020-12, as `schema.ts` describes it and `generate.ts` wrote it. */
export type Schema = object

const folder = new URL('../../config/schema/', import.meta.url)
const read = new Map<string, Schema>()

function readSchema(file: string): Schema {
  const known = read.get(file)
  if (known !== undefined) return known
  const schema = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Schema
  read.set(file, schema)
  return schema
}

export function schemaOf(kind: Kind): Schema {
  if (kind === 'Agent') return readSchema('agent.schema.json')
  const { allOf } = readSchema('manifest.schema.json') as {
    readonly allOf: readonly { if: { properties: { kind: { const: string } } }; then: Schema }[]
  }
  const own = allOf.find(one => one.if.properties.kind.const === kind)
  assert(own !== undefined, `config/schema has no ${kind}`)
  return own.then
}

/** A mistake of shape. `onKey`: it is about the key at the end of the path, not about its value. */
export type ShapeFinding = {
  readonly code: string
  readonly path: Path
  readonly onKey: boolean
  readonly values: Readonly<Record<string, string>>
  readonly suggestion?: string
}

export type Shape = { readonly value: unknown; readonly findings: readonly ShapeFinding[] }

const validators = new WeakMap<Schema, ValidateFunction>()

function validatorOf(schema: Schema): ValidateFunction {
  let validator = validators.get(schema)
  if (validator === undefined) {
    // All errors of a document are wanted; its size is limited by the parser (fileBytesMax).
    validator = new Ajv2020({ allErrors: true, strict: true, verbose: false, logger: false }).compile(schema)
    validators.set(schema, validator)
  }
  return validator
}

/** The value of a document and what is wrong with its shape. */
export function checkShape(kind: Kind, root: TreeNode): Shape {
  return judge({ kind, schema: schemaOf(kind) }, root)
}

/** As `checkShape`, for a document that is no manifest. */
export function checkForm(schema: Schema, root: TreeNode): Shape {
  return judge({ kind: null, schema }, root)
}

/** What a document is judged by. Fields of manifests have codes of their own; those of other documents have not. */
type Form = { readonly kind: Kind | null; readonly schema: Schema }

function judge(form: Form, root: TreeNode): Shape {
  const value = toValue(root, form.schema)
  const validator = validatorOf(form.schema)
  if (validator(value)) return { value, findings: [] }
  const errors = withoutOtherForms(validator.errors ?? [])
  return { value, findings: errors.flatMap(error => toFinding(form, root, error) ?? []) }
}

/** Where a value may have one of several forms and is of the type of one, that it is not of the others' is no mistake. */
function withoutOtherForms(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const branchOf = ({ schemaPath }: ErrorObject) => /^(.*\/anyOf)\/\d+/.exec(schemaPath)
  const isMismatch = (error: ErrorObject) => error.keyword === 'type' && /\/anyOf\/\d+\/type$/.test(error.schemaPath)
  const mismatched = new Set(errors.filter(isMismatch).map(error => branchOf(error)?.[0]))
  // A form that has errors, but not that one, is the form that was meant.
  const meant = new Set(
    errors.filter(error => !mismatched.has(branchOf(error)?.[0])).map(error => branchOf(error)?.[1] ?? ''),
  )
  return errors.filter(error => !isMismatch(error) || !meant.has(branchOf(error)?.[1] ?? ''))
}

function toFinding(form: Form, root: TreeNode, error: ErrorObject): ShapeFinding | undefined {
  const path = parsePointer(error.instancePath)
  const general = describe(form, root, path, error)
  if (general === undefined) return undefined
  const context = form.kind === null ? { code: general.code } : codeInContext(form.kind, general.subject, general.code)
  const values = { ...general.values, field: formatPath(general.subject), ...context.values }
  const suggestion = general.suggestion === undefined ? {} : { suggestion: general.suggestion }
  return { code: context.code, path: general.path, onKey: general.onKey, values, ...suggestion }
}

type General = {
  readonly code: string
  /** Where the finding stands. */
  readonly path: Path
  /** What it is about: the missing or unknown key itself. */
  readonly subject: Path
  readonly onKey: boolean
  readonly values: Readonly<Record<string, string>>
  readonly suggestion?: string
}

function describe(form: Form, root: TreeNode, path: Path, error: ErrorObject): General | undefined {
  const params = error.params as Record<string, unknown>
  const at = { path, subject: path, onKey: false }
  switch (error.keyword) {
    case 'required': {
      const missing = String(params.missingProperty)
      return { ...at, code: 'E-FIELD-MISSING', subject: [...path, missing], values: { key: missing } }
    }
    case 'additionalProperties':
      return unknownKey(form, path, String(params.additionalProperty))
    case 'type':
      return { ...at, code: 'E-FIELD-TYPE', values: { expected: String(params.type), found: kindOf(root, path) } }
    case 'enum': {
      const allowed = (params.allowedValues as readonly unknown[]).map(String)
      const found = foundText(root, path)
      const near = suggest(found, allowed)
      const values = { found, allowed: allowed.join(', ') }
      return { ...at, code: 'E-FIELD-VALUE', values, ...(near === undefined ? {} : { suggestion: near }) }
    }
    case 'pattern':
      return { ...at, code: patternCode(String(params.pattern)), values: { found: foundText(root, path) } }
    case 'minLength':
    case 'minItems':
      return { ...at, code: 'E-FIELD-EMPTY', values: {} }
    case 'maxLength':
    case 'maxItems':
      return { ...at, code: 'E-FIELD-LONG', values: { max: String(params.limit) } }
    case 'minimum':
    case 'maximum': {
      const values = { found: foundText(root, path), bound: `${params.comparison} ${params.limit}` }
      return { ...at, code: 'E-FIELD-RANGE', values }
    }
    case 'not':
      return { ...at, code: 'E-UNSUPPORTED', values: { found: formatPath(path), known: '[]' } }
    default:
      // `const` of apiVersion and kind is judged before; `anyOf` repeats what its branches say.
      return undefined
  }
}

function unknownKey({ schema }: Form, path: Path, key: string): General {
  const known = knownKeys(schema, path)
  const near = suggest(key, known)
  return {
    code: 'E-FIELD-UNKNOWN',
    path: [...path, key],
    subject: [...path, key],
    onKey: true,
    values: { key, known: known.join(', ') },
    ...(near === undefined ? {} : { suggestion: near }),
  }
}

function patternCode(pattern: string): string {
  if (pattern === dayPattern) return 'E-DAY'
  return pattern === sizePattern ? 'E-SIZE' : 'E-FIELD-VALUE'
}

type Context = { readonly code: string; readonly values?: Readonly<Record<string, string>> }

/** Some fields have a code of their own in mission section 2: whatever is wrong with them is that requirement unmet. */
function codeInContext(kind: Kind, path: Path, code: string): Context {
  if (code === 'E-FIELD-UNKNOWN') return unknownInContext(kind, String(path.at(-1)), code)
  const pattern = path.map(step => (typeof step === 'number' ? '*' : step)).join('/')
  if (kind === 'MailDomain' && /^spec\/institution(\/|$)/.test(pattern)) {
    return { code: 'E-DOMAIN-OWNER', values: { reason: 'owner.none' } }
  }
  if (kind === 'Waiver' && /^spec\/(until|reason|owner|approvedBy)$/.test(pattern)) {
    return { code: 'E-WAIVER', values: { reason: 'waiver.form' } }
  }
  if (kind !== 'AccountList') return { code }
  if (pattern === 'spec/requests/*/agreement') return { code: 'E-AGREEMENT', values: { reason: 'agreement.none' } }
  if (pattern.startsWith('spec/requests/*/agreement/')) {
    return { code: 'E-AGREEMENT-NUMBER', values: { reason: 'agreementNumber.form' } }
  }
  if (/^spec\/accounts\/\*\/holder(\/name)?$/.test(pattern)) {
    return { code: 'E-PURPOSE', values: { reason: 'purpose.holder' } }
  }
  if (pattern === 'spec/accounts/*/holder/purpose') return { code: 'E-PURPOSE', values: { reason: 'purpose.purpose' } }
  if (pattern === 'spec/accounts/*/request') {
    return { code: 'E-ACCOUNT-NO-REQUEST', values: { reason: 'request.none', request: '' } }
  }
  return { code }
}

/** An unknown key that says what it is after gets the answer to that instead. */
function unknownInContext(kind: Kind, key: string, code: string): Context {
  // A secret is never a value in YAML (K23), whatever its key is called.
  if (/passw|secret|token|api_?key|private_?key|clave|contrase/i.test(key)) return { code: 'E-SECRET-VALUE' }
  if (kind === 'AccountList' && /^(?:forward|redirect|fetch|collect)/i.test(key)) {
    return { code: 'E-OFF-LAN', values: { reason: 'offLan.forward', found: key } }
  }
  return { code }
}

function knownKeys(schema: Schema, path: Path): readonly string[] {
  type Walk = {
    properties?: Record<string, Walk>
    items?: Walk
    additionalProperties?: Walk
    anyOf?: readonly Walk[]
  }
  const withKeys = (at: Walk | undefined) => at?.anyOf?.find(({ properties }) => properties !== undefined) ?? at
  let at = schema as Walk | undefined
  for (const step of path)
    at = withKeys(typeof step === 'number' ? at?.items : (at?.properties?.[step] ?? at?.additionalProperties))
  return Object.keys(at?.properties ?? {})
}

function nodeAt(root: TreeNode, path: Path): TreeNode | undefined {
  let node: TreeNode | undefined = root
  for (const step of path) node = childOf(node, step)
  return node
}

const foundMax = 60 // of a wrong value, its beginning is enough to find it

function foundText(root: TreeNode, path: Path): string {
  const node = nodeAt(root, path)
  if (node?.kind !== 'scalar') return ''
  const text = node.plain ?? String(node.value)
  return text.length > foundMax ? `${text.slice(0, foundMax)}…` : text
}

function kindOf(root: TreeNode, path: Path): string {
  const node = nodeAt(root, path)
  if (node === undefined || node.kind !== 'scalar') return node?.kind === 'map' ? 'object' : 'array'
  if (node.value === null) return 'null'
  return typeof node.value === 'number' && !Number.isInteger(node.value) ? 'fraction' : typeof node.value
}

function parsePointer(pointer: string): Path {
  if (pointer === '') return []
  return pointer
    .slice(1)
    .split('/')
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map(step => (/^\d+$/.test(step) ? Number(step) : step))
}

/** A path as people read it: `spec.accounts[3].request`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => (typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${step}`))
    .join('')
}
