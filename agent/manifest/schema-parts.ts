/** The bricks of the schemas: closed objects, words out of a list, short texts. */
import { type TProperties, Type } from 'typebox'
import { durationPattern } from './forms.ts'

export const closed = <P extends TProperties>(properties: P, description: string) =>
  Type.Object(properties, { additionalProperties: false, description })
export const oneOf = <const T extends readonly string[]>(values: T, description: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: [...values], description })
export const text = (description: string, example?: string) =>
  Type.String({ minLength: 1, maxLength: 2000, description, ...(example === undefined ? {} : { examples: [example] }) })
/** Whole seconds, minutes, hours or days. */
export const duration = (description: string, example: string) =>
  Type.String({ pattern: durationPattern, description, examples: [example] })
