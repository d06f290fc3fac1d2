/** `spec.detection`, resolved: what signals may do by themselves (mission section 8, P18). */

export type RestrictMode = 'off' | 'observe' | 'enforce'

export type DetectionConfig = {
  readonly restrict: RestrictMode
  /** Beyond either, within an hour, nothing is closed without a person. */
  readonly storm: { readonly holds: number; readonly domainsPercent: number }
}
