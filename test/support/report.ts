/** An analysis report as an institution files it, all of it invented. */

/** Every field that the procedure's form has (mission section 9). */
export const completeReport = {
  author: 'Luis Mora',
  commission: ['Luis Mora', 'Ana Ruiz'],
  days: '2026-11-19',
  whatHappened: 'Una cuenta fue usada para enviar correo masivo.',
  start: '2026-11-19T03:00:00Z',
  detection: '2026-11-19T04:00:00Z',
  end: '2026-11-19T04:05:00Z',
  accounts: ['jperez@hcg.sld.cu'],
  computers: ['PC-17'],
  cause: 'Contraseña robada.',
  dataTouched: 'Ninguno.',
  impact: 'Ninguno fuera del correo.',
  evidence: [{ what: 'Registro del servidor', digest: 'ab'.repeat(32) }],
  actions: [{ what: 'Contraseñas cambiadas', who: 'Luis Mora', day: '2026-11-20', proof: 'acta 7' }],
  prevention: [{ what: 'Formación', day: '2026-12-15' }],
  signed: true,
  stamped: true,
}
