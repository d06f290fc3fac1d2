/** The bricks of the schemas: closed objects, words out of a list, short texts. */
import { type TProperties, Type } from 'typebox'

export const closed = <P extends TProperties>(properties: P, description: string) =>
  Type.Object(properties, { additionalProperties: false, description })
export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], description })
export const text = (description: string, example?: string) =>
  Type.String({ minLength: 1, maxLength: 2000, description, ...(example === undefined ? {} : { examples: [example] }) })
/** Whole seconds, minutes, hours or days. */
export const duration = (description: string, example: string) =>
  Type.String({ pattern: '^(?:0|[1-9][0-9]{0,5})[smhd]$', description, examples: [example] })

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Of a text that the schema let pass. */
export function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * unitMs[text.slice(-1) as keyof typeof unitMs]
}
