/**
 * A YAML document as a tree of plain nodes with their spans, free of the library that read it, and the value that the
 * schema asks for. Pure.
 */
export type Path = readonly (string | number)[]

/** Offsets into the file; `end` is exclusive. */
export type Span = { readonly start: number; readonly end: number }

export type ScalarNode = Span & {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
  /** The text as written, when the scalar is plain (unquoted); undefined for quoted and block scalars. */
  readonly plain: string | undefined
}
export type MapEntry = { readonly key: Span; readonly value: TreeNode }
export type MapNode = Span & { readonly kind: 'map'; readonly entries: ReadonlyMap<string, MapEntry> }
export type SequenceNode = Span & { readonly kind: 'sequence'; readonly items: readonly TreeNode[] }
export type TreeNode = ScalarNode | MapNode | SequenceNode

export function childOf(node: TreeNode | undefined, step: string | number): TreeNode | undefined {
  if (node?.kind === 'map') return node.entries.get(String(step))?.value
  if (node?.kind === 'sequence') return node.items[Number(step)]
  return undefined
}

/** RFC 6901. */
export function formatPointer(path: Path): string {
  return path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

type ObjectSchema = {
  readonly type?: string
  readonly properties?: Readonly<Record<string, ObjectSchema>>
  readonly items?: ObjectSchema
  /** Of a map whose keys are free. */
  readonly additionalProperties?: ObjectSchema | boolean
  readonly enum?: readonly unknown[]
}

/**
 * The value of a node for a schema. Where the schema asks for text, a plain scalar gives the text as written, so that
 * `number: 017` is "017" and a person named Null keeps the name. Where it asks for a whole number, one with leading
 * zeros stays text and is refused: YAML 1.1 reads 017 as 15, YAML 1.2 as 17. Objects have no prototype (K18).
 */
export function toValue(node: TreeNode, schema: object | undefined): unknown {
  return nodeValue(node, schema as ObjectSchema | undefined)
}

/**
 * An object that inherits nothing: what it inherits from is empty itself. Object.create(null) would do, in three times the
 * room, since V8 keeps such an object as a dictionary.
 */
class Bare {}
Object.setPrototypeOf(Bare.prototype, null)
Reflect.deleteProperty(Bare.prototype, 'constructor')

function nodeValue(node: TreeNode, schema: ObjectSchema | undefined): unknown {
  switch (node.kind) {
    case 'map': {
      const object = new Bare() as unknown as Record<string, unknown>
      const properties = schema?.properties
      const others = schema?.additionalProperties
      const rest = typeof others === 'object' ? others : undefined
      for (const [key, entry] of node.entries) {
        const own = properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined
        const inner = own ?? rest
        object[key] = nodeValue(entry.value, inner)
      }
      return object
    }
    case 'sequence':
      return node.items.map(item => nodeValue(item, schema?.items))
    case 'scalar':
      return scalarValue(node, schema)
  }
}

function scalarValue(node: ScalarNode, schema: ObjectSchema | undefined): unknown {
  if (typeof node.value === 'string' || node.plain === undefined || node.plain === '') return node.value
  if (schema?.type === 'string' || schema?.enum !== undefined) return node.plain
  if (schema?.type === 'integer' && /^[-+]?0\d/.test(node.plain)) return node.plain
  return node.value
}
