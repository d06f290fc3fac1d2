/** Colour for a terminal, and none for a file. */

export type Paint = (style: 'add' | 'change' | 'remove' | 'warn' | 'strong' | 'dim', text: string) => string

export const plain: Paint = (_, text) => text
export const coloured: Paint = (style, text) => {
  const code = { add: 32, change: 33, remove: 31, warn: 35, strong: 1, dim: 2 }[style]
  return `\u001b[${code}m${text}\u001b[0m`
}
