/** The form of an analysis report, for `incident report --help`: an example that is valid as it stands, and what each field is. */
import type { Language } from '../model/entity.ts'

/** A field with an example of its value and what it is, in Spanish and in English. */
type Row = readonly [field: string, example: string, es: string, en: string]

const form: readonly Row[] = [
  ['author', 'Luis Mora', 'quién lo escribió', 'who wrote it'],
  ['commission', '[Luis Mora, Ana Ruiz]', 'quiénes investigaron', 'who looked into it'],
  ['days', '[2026-03-02, 2026-03-03]', 'qué días', 'on which days'],
  ['whatHappened', 'una cuenta envió correo masivo', 'qué ocurrió', 'what happened'],
  ['start', '2026-03-01T02:00:00Z', 'cuándo empezó: día o instante', 'when it began: a day or an instant'],
  ['detection', '2026-03-01T03:00:00Z', 'cuándo se detectó', 'when it was noticed'],
  ['end', '2026-03-01T03:10:00Z', 'cuándo terminó', 'when it ended'],
  ['accounts', '[jperez@hospital.example]', 'cuentas afectadas; [] si ninguna', 'accounts concerned; [] for none'],
  ['computers', '[]', 'equipos afectados; [] si ninguno', 'computers concerned; [] for none'],
  ['cause', 'contraseña robada', 'la causa', 'the cause'],
  ['dataTouched', 'ninguno', 'a qué datos se llegó', 'which data were reached'],
  ['impact', 'correo retrasado dos horas', 'qué consecuencias tuvo', 'what it led to'],
  [
    'evidence',
    `[{ what: bitácora, digest: "${'0'.repeat(64)}" }]`,
    'constancias, con su SHA-256',
    'proofs, with their SHA-256',
  ],
  [
    'actions',
    '[{ what: clave cambiada, who: Luis Mora, day: 2026-03-02, proof: acta 12 }]',
    'qué se hizo, quién, qué día, con qué constancia',
    'what was done, by whom, on which day, with what proof',
  ],
  [
    'prevention',
    '[{ what: segundo factor, day: 2026-04-01 }]',
    'qué lo evitará, y desde qué día',
    'what will prevent it, and from which day',
  ],
  ['signed', 'true', 'está firmado', 'it is signed'],
  ['stamped', 'true', 'está acuñado', 'it is stamped'],
]

/** All fields are needed; `incident` is filled in. Valid YAML from the second line on. */
export function reportForm(language: Language): string {
  const head =
    language === 'es'
      ? 'El archivo, en YAML; todos los campos hacen falta:'
      : 'The file, in YAML; every field is needed:'
  const lines = form.map(([field, example, es, en]) => `  ${field}: ${example}  # ${language === 'es' ? es : en}`)
  return [head, ...lines].join('\n')
}
