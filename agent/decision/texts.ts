/**
 * What a refusal says, in Spanish and English (contract section 5: in the institution's language). `{detail}` is a name,
 * an address or a number, in brackets, left out when there is none. Replies go out in US-ASCII; the accents are for
 * `explain`. Pure.
 */
import type { Language } from '../model/entity.ts'

type Words = Readonly<Record<Language, string>>

export const reasonTexts = {
  withdrawnSender: {
    es: 'El servicio de correo del remitente fue retirado{detail}',
    en: 'The mail service of the sender was withdrawn{detail}',
  },
  withdrawnRecipient: {
    es: 'El buzón de destino fue retirado{detail}',
    en: 'The destination mailbox was withdrawn{detail}',
  },
  suspended: {
    es: 'El servicio de correo del remitente está suspendido; consulte a su institución{detail}',
    en: 'The mail service of the sender is suspended; ask your institution{detail}',
  },
  suspendedInbound: {
    es: 'El destino tiene el servicio suspendido{detail}',
    en: 'The service of the destination is suspended{detail}',
  },
  suspendedKept: {
    es: 'El destino está suspendido y conserva la entrada de correo{detail}',
    en: 'The destination is suspended and keeps its inbound mail{detail}',
  },
  unknownLogin: {
    es: 'La cuenta no está en servicio{detail}',
    en: 'The account is not in service{detail}',
  },
  unknownRelaySender: {
    es: 'El remitente no es una cuenta registrada de la institución de este servidor{detail}',
    en: 'The sender is no registered account of the institution of this server{detail}',
  },
  unknownRecipient: {
    es: 'El buzón de destino no existe{detail}',
    en: 'The destination mailbox does not exist{detail}',
  },
  senderMismatch: {
    es: 'El remitente no es de la cuenta autenticada{detail}',
    en: 'The sender does not belong to the authenticated account{detail}',
  },
  offInstitution: {
    es: 'Su cuenta solo se usa desde la red de su institución{detail}',
    en: 'Your account is only used from the network of your institution{detail}',
  },
  offCollector: {
    es: 'Esta cuenta solo se usa desde el servidor declarado de la institución{detail}',
    en: 'This account is only used from the declared server of the institution{detail}',
  },
  offNational: {
    es: 'Su cuenta solo se usa desde redes nacionales{detail}',
    en: 'Your account is only used from national networks{detail}',
  },
  sendNational: {
    es: 'Su cuenta no puede escribir fuera de su institución{detail}',
    en: 'Your account may not write outside its institution{detail}',
  },
  bounceInternational: {
    es: 'Los avisos de entrega del servidor de su institución no salen del país',
    en: 'Delivery reports of your institution’s server do not leave the country',
  },
  sendInternational: {
    es: 'Su cuenta no puede escribir a destinos internacionales{detail}',
    en: 'Your account may not write to international destinations{detail}',
  },
  sendException: {
    es: 'Una excepción vigente permite este destino{detail}',
    en: 'A dated exception allows this destination{detail}',
  },
  receiveNational: {
    es: 'El destino solo recibe correo de su institución{detail}',
    en: 'The destination only receives mail of its institution{detail}',
  },
  receiveInternational: {
    es: 'El destino no recibe correo internacional{detail}',
    en: 'The destination does not receive international mail{detail}',
  },
  receiveException: {
    es: 'Una excepción vigente permite este remitente{detail}',
    en: 'A dated exception allows this sender{detail}',
  },
  accessException: {
    es: 'Una excepción vigente permite el acceso desde aquí{detail}',
    en: 'A dated exception allows access from here{detail}',
  },
  spoofedSender: {
    es: 'El remitente es de un dominio administrado aquí y debe autenticarse{detail}',
    en: 'The sender is in a domain managed here and has to authenticate{detail}',
  },
  rateHour: {
    es: 'Demasiados destinatarios externos en una hora; intente más tarde{detail}',
    en: 'Too many external recipients in an hour; try later{detail}',
  },
  rateDay: {
    es: 'Demasiados destinatarios externos en un día; intente más tarde{detail}',
    en: 'Too many external recipients in a day; try later{detail}',
  },
} as const satisfies Record<string, Words>
export type ReasonText = keyof typeof reasonTexts

// A name from outside shall not push the decision id off the line.
const detailLengthMax = 64

export function sayReason(text: ReasonText, language: Language, detail: string): string {
  const short = detail.length > detailLengthMax ? `${detail.slice(0, detailLengthMax - 3)}...` : detail
  return reasonTexts[text][language].replace('{detail}', () => (short === '' ? '' : ` (${short})`))
}
