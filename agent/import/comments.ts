/** The few words beside what an import wrote: for whoever completes the manifests, in the language of the command. */
import type { Language } from '../model/entity.ts'

const en = {
  header: 'made by mailwarden import; empty values are for a person to fill in, and validate shows each of them',
  fill: 'to fill in',
  assumed: 'assumed; nothing that stands says so',
  asItStands: 'as much as stands today; the real limit is the agreement’s',
  scopes: 'how far accounts write and hear stands in no system: assumed',
} as const

const es: Readonly<Record<keyof typeof en, string>> = {
  header: 'hecho por mailwarden import; los valores vacíos los completa una persona, y validate los señala uno a uno',
  fill: 'por completar',
  assumed: 'supuesto; nada de lo que existe lo dice',
  asItStands: 'lo que hay hoy; el límite verdadero es el del acuerdo',
  scopes: 'hasta dónde escriben y de dónde reciben no está en ningún sistema: supuesto',
}

export type Comments = Readonly<Record<keyof typeof en, string>>

export function commentsIn(language: Language): Comments {
  return language === 'es' ? es : en
}
