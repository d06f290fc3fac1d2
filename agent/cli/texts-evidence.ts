/** The words of `incident evidence|hold|unhold|export`, in both languages; a part of the one table in `texts.ts`. */

export const evidenceEn = {
  incidentEvidence: 'collect evidence anew; --out writes it as one archive',
  evidenceOut: 'file to write, which must not exist yet',
  evidenceBundle: 'number of the bundle; the newest by default',
  evidenceVerify: 'check an archive, offline and without configuration',
  evidenceNoId: 'Name an incident, or an archive: incident evidence --verify FILE.',
  incidentHold: 'legal hold: keep the evidence until somebody reviews it',
  incidentUnhold: 'end a legal hold; two people, one after the other',
  incidentExport: 'hand the incident over: IODEF, or the report after it',
  evidenceCollected: '{incident}: evidence version {version}, {files} files, {gaps} gaps',
  evidenceWritten: '{file} written, {bytes} bytes',
  evidenceExists: '{file} exists already; evidence is never written over. Name another file.',
  evidenceDamaged:
    'The evidence store lacks {digest} or holds it changed: nothing was written. Put it back from its backup.',
  evidenceGap: 'gap: {path} from {source}: {reason}',
  evidenceGood: 'the evidence holds: {incident}, version {version}, {files} files',
  evidenceBad: 'THE EVIDENCE DOES NOT HOLD',
  evidenceOwnKey: 'by the key in the archive; give the one that you trust with --key',
  showEvidence: 'evidence {version}: {files} files, {gaps} gaps, {manifest}',
  showLegalHold: 'legal hold by {owner} until the review on {review}: {reason}',
  forecastLegalHold: '{incident}: the legal hold is to be reviewed',
  forecastEvidence: '{incident}: its evidence is older than spec.evidence.keepDays; nothing removes it',
} as const

export const evidenceEs: { readonly [key in keyof typeof evidenceEn]: string } = {
  incidentEvidence: 'recoger evidencia de nuevo; --out la escribe en un archivo',
  evidenceOut: 'fichero que se escribe; no debe existir todavía',
  evidenceBundle: 'número de la recogida; la última si no se dice',
  evidenceVerify: 'comprobar un archivo, sin red y sin configuración',
  evidenceNoId: 'Diga un incidente, o un archivo: incident evidence --verify FICHERO.',
  incidentHold: 'conservación legal: guardar la evidencia hasta que alguien la revise',
  incidentUnhold: 'terminar una conservación legal; dos personas, una tras otra',
  incidentExport: 'entregar el incidente: IODEF, o el informe posterior',
  evidenceCollected: '{incident}: evidencia, versión {version}, {files} ficheros, {gaps} huecos',
  evidenceWritten: '{file} escrito, {bytes} bytes',
  evidenceExists: '{file} ya existe; la evidencia no se escribe encima de nada. Diga otro fichero.',
  evidenceDamaged:
    'Al almacén de evidencia le falta {digest} o lo tiene cambiado: no se escribió nada. Recupérelo de su copia.',
  evidenceGap: 'hueco: {path} de {source}: {reason}',
  evidenceGood: 'la evidencia se sostiene: {incident}, versión {version}, {files} ficheros',
  evidenceBad: 'LA EVIDENCIA NO SE SOSTIENE',
  evidenceOwnKey: 'según la clave del propio archivo; dé con --key la que usted conoce',
  showEvidence: 'evidencia {version}: {files} ficheros, {gaps} huecos, {manifest}',
  showLegalHold: 'conservación legal de {owner} hasta la revisión del {review}: {reason}',
  forecastLegalHold: '{incident}: toca revisar la conservación legal',
  forecastEvidence: '{incident}: su evidencia pasa de spec.evidence.keepDays; nada la borra',
}
