/** Resolves `spec.detection`: defaults filled in. Pure. */
import type { DetectionConfig } from '../model/detection.ts'
import type { DetectionSpec } from './schema-detection.ts'

/** Nobody's mail stops by itself until somebody has seen what would have stopped. */
const defaults = { restrict: 'observe', holds: 10, domainsPercent: 10 } as const

export function resolveDetection(spec: DetectionSpec | undefined): DetectionConfig {
  return {
    restrict: spec?.restrict ?? defaults.restrict,
    storm: {
      holds: spec?.storm?.holds ?? defaults.holds,
      domainsPercent: spec?.storm?.domainsPercent ?? defaults.domainsPercent,
    },
  }
}
