/** What an entry of the register says, read as it was meant to be written; anything else reads as nothing. Pure. */
import { type Instant, parseInstant } from '../core/clock.ts'
import type { Json } from '../core/digest.ts'
import type { Stored } from '../register/register.ts'

export const textOf = (value: Json | undefined): string | null => (typeof value === 'string' ? value : null)
export const instantOf = (entry: Stored): Instant => parseInstant(entry.at) ?? 0
export const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0)
export const wordsOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
