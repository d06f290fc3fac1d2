/** Forms of values that the schema asks for and that are read elsewhere too. Pure. */

/** That it is in the calendar is checked apart. */
export const dayPattern = '^\\d{4}-\\d{2}-\\d{2}$'
export const sizePattern = '^\\d{1,15}(?:\\.\\d{1,3})?(?:B|KiB|MiB|GiB|TiB)$'
/** Whole seconds, minutes, hours or days. */
export const durationPattern = '^(?:0|[1-9][0-9]{0,5})[smhd]$'

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Of a text that the schema let pass. */
export function durationMs(text: string): number {
  return Number(text.slice(0, -1)) * unitMs[text.slice(-1) as keyof typeof unitMs]
}
