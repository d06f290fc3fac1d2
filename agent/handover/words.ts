/** What the entries of an incident are called, in Spanish and in English beside each other, and the report's own words. */
import type { Language } from '../model/entity.ts'
import type { Stored } from '../register/register.ts'

type Words = Readonly<Record<Language, string>>

const happenings: Readonly<Record<string, Words>> = {
  'incident.declared': { es: 'declarado; retenciones en vigor', en: 'declared; holds in force' },
  'incident.joined': { es: 'otra suspensión de lo mismo', en: 'suspended once more' },
  'incident.evidence': {
    es: 'evidencia recogida, versión {version}, huecos {gaps}',
    en: 'evidence collected, version {version}, gaps {gaps}',
  },
  'suspension.lever': { es: 'palanca {lever}: {state}', en: 'lever {lever}: {state}' },
  'suspension.door': {
    es: 'puerta {host}/{door}: abiertas {open}, retenidas {held}',
    en: 'door {host}/{door}: open {open}, held {held}',
  },
  'suspension.tried': {
    es: 'puertas probadas como lo haría el ladrón: {refused} de {tries} rechazadas',
    en: 'doors tried as a thief would: {refused} of {tries} refused',
  },
  'suspension.reopened': { es: 'retención abierta a mano, cerrada otra vez', en: 'hold opened by hand, closed again' },
  'report.received': { es: 'informe de análisis recibido', en: 'analysis report received' },
  'report.accepted': { es: 'informe aceptado', en: 'report accepted' },
  'report.returned': { es: 'informe devuelto', en: 'report returned' },
  'action.recorded': { es: 'acción registrada', en: 'action recorded' },
  'action.verified': { es: 'acción {action} verificada', en: 'action {action} verified' },
  'secrets.rotated': { es: 'secretos cambiados: {secrets}', en: 'secrets rotated: {secrets}' },
  'mail.decided': { es: 'correo retenido: {decision}', en: 'held mail: {decision}' },
  'release.approved': {
    es: 'restablecimiento aprobado por la primera persona',
    en: 'release approved by the first person',
  },
  'service.restored': { es: 'servicio restablecido', en: 'service restored' },
  'incident.annul-approved': {
    es: 'anulación aprobada por la primera persona',
    en: 'annulment approved by the first person',
  },
  'incident.annulled': { es: 'anulado', en: 'annulled' },
  'legal-hold.set': {
    es: 'conservación legal hasta revisar el {review}',
    en: 'legal hold, to be reviewed on {review}',
  },
  'legal-hold.end-approved': {
    es: 'fin de la conservación legal aprobado por la primera persona',
    en: 'end of the legal hold approved by the first person',
  },
  'legal-hold.ended': { es: 'conservación legal terminada', en: 'legal hold ended' },
  'notice.sent': { es: 'aviso enviado: {topic}, {audience}', en: 'notice sent: {topic}, {audience}' },
  'notice.printed': { es: 'aviso impreso: {topic}, {audience}', en: 'notice printed: {topic}, {audience}' },
}

/** A kind that is not known yet is told by its name rather than left out. */
export function happeningOf({ kind, facts }: Stored, language: Language): string {
  const words = Object.hasOwn(happenings, kind) ? happenings[kind]?.[language] : undefined
  return (words ?? kind).replaceAll(/\{(\w+)\}/g, (_, key: string) => String(facts[key] ?? '–'))
}

const labels = {
  title: { es: 'Informe posterior', en: 'Report after the incident' },
  summary: { es: 'Resumen', en: 'Summary' },
  field: { es: 'Dato', en: 'Field' },
  value: { es: 'Valor', en: 'Value' },
  class: { es: 'Clase', en: 'Class' },
  scope: { es: 'Alcance', en: 'Scope' },
  institution: { es: 'Institución', en: 'Institution' },
  operator: { es: 'Operador', en: 'Operator' },
  declared: { es: 'Declarado', en: 'Declared' },
  contained: { es: 'Contenido', en: 'Contained' },
  ended: { es: 'Terminado', en: 'Ended' },
  open: { es: 'sigue abierto', en: 'still open' },
  drill: { es: 'Simulacro', en: 'Drill' },
  reason: { es: 'Motivo', en: 'Reason' },
  erased: { es: '(borrado)', en: '(erased)' },
  timeline: { es: 'Cronología', en: 'Timeline' },
  instant: { es: 'Instante (UTC)', en: 'Instant (UTC)' },
  local: { es: 'Hora local', en: 'Local time' },
  after: { es: 'Después', en: 'After' },
  who: { es: 'Quién', en: 'Who' },
  what: { es: 'Qué', en: 'What' },
  entry: { es: 'Entrada', en: 'Entry' },
  targets: { es: 'Tiempos frente a objetivos', en: 'Times against targets' },
  targetsNote: {
    es: 'Desde la entrada que declara el incidente hasta la entrada que lo prueba: nunca menos de lo que tardó. El objetivo de 50 ms de las decisiones en vivo no se puede leer del registro: la retención rige antes de que la entrada se confirme.',
    en: 'From the entry that declares the incident to the entry that proves it: never less than it took. The target of 50 ms for live decisions cannot be read from the register: the hold is in force before the entry is acknowledged.',
  },
  measured: { es: 'Medido', en: 'Measured' },
  target: { es: 'Objetivo', en: 'Target' },
  met: { es: 'cumplido', en: 'met' },
  missed: { es: 'no cumplido', en: 'missed' },
  never: { es: 'nunca', en: 'never' },
  leverVerified: { es: 'palanca {name} verificada', en: 'lever {name} verified' },
  doorClosed: { es: 'puerta {name} cerrada', en: 'door {name} closed' },
  people: { es: 'Personas', en: 'People' },
  notices: { es: 'Avisos', en: 'Notices' },
  evidence: { es: 'Evidencia', en: 'Evidence' },
  failures: { es: 'Lo que falló', en: 'What failed' },
  none: { es: 'Nada.', en: 'None.' },
  toFill: { es: 'Por completar', en: 'To be filled in' },
  worked: { es: 'Qué funcionó', en: 'What worked' },
  changes: { es: 'Cambios', en: 'Changes' },
  owner: { es: 'Responsable', en: 'Owner' },
  day: { es: 'Fecha', en: 'Day' },
} as const satisfies Readonly<Record<string, Words>>

export type Label = keyof typeof labels

export function labelIn(language: Language): (label: Label) => string {
  return label => labels[label][language]
}
