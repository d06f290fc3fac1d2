/**
 * An incident handed over (P20): as IODEF version 2 for case tools (RFC 7970, in JSON by RFC 8727), or as the report
 * after the incident. Made of the register's entries alone: the same entries give the same text. Pure.
 */
import type { HandoverFormat } from '../model/incident.ts'
import type { Case } from './case.ts'
import { iodefDocument } from './iodef.ts'
import { formatJson, formatXml } from './iodef-format.ts'
import { reportAfter } from './report-after.ts'

/** Who took a copy is no part of what happened; with it no two copies would be alike. */
const notTold = new Set(['incident.exported', 'incident.evidence-exported'])

export function handover(format: HandoverFormat, given: Case): string {
  const told = { ...given, entries: given.entries.filter(({ kind }) => !notTold.has(kind)) }
  switch (format) {
    case 'iodef-json':
      return formatJson(iodefDocument(told))
    case 'iodef-xml':
      return formatXml(iodefDocument(told))
    case 'report':
      return reportAfter(told)
  }
}
