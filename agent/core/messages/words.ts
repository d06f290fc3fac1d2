/** The form of a message: a constant summary and a detail that says what, why and what to do. No I/O, no logic. */

export type Language = 'es' | 'en'

/** `{name}` is a value of the diagnostic, `{name|phrase}` a value that is the key of a phrase. */
export type Words = { readonly summary: string; readonly detail: string }
export type Message = Readonly<Record<Language, Words>>
export type Phrase = Readonly<Record<Language, string>>

/** One row of a table: Spanish summary and detail, English summary and detail. */
export function message(es: string, esDetail: string, en: string, enDetail: string): Message {
  return { es: { summary: es, detail: esDetail }, en: { summary: en, detail: enDetail } }
}
