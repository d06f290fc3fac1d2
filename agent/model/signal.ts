/** From when on something counts as a sign of misuse (mission section 8), as the operator may set it. Data only. */

/** 0: never. */
export type Level = { readonly alert: number; readonly act: number }

export type SignalSettings = {
  /** Mail of a login to names that nobody has, in an hour. */
  readonly unknownRecipients: Level
  /** In percent of what a login sent in an hour, from so many recipients on. */
  readonly bounces: { readonly percent: number; readonly recipients: number }
  /** Mail that a declared relay brings in the name of a domain of its institution, and of no account; in an hour. */
  readonly unknownRelay: Pick<Level, 'alert'>
  /** Attempts of a login from outside, in an hour. */
  readonly offNetwork: Pick<Level, 'alert'>
  /** Mail of a login beyond its scope, in an hour. */
  readonly scope: Pick<Level, 'alert'>
  /** Logins from outside that come from one network, in an hour. */
  readonly addressing: Pick<Level, 'alert'>
  /**
   * Distinct external recipients of a login in an hour: `alert` where nothing is known of its past, else `times` what is
   * usual for it, and never fewer than `least`.
   */
  readonly recipients: Pick<Level, 'alert'> & { readonly times: number; readonly least: number }
  /** Distinct client addresses of a login in a day: more than so many. */
  readonly clients: Pick<Level, 'alert'>
}

export const defaultSignals: SignalSettings = {
  unknownRecipients: { alert: 25, act: 50 },
  bounces: { percent: 8, recipients: 50 },
  unknownRelay: { alert: 1 },
  // One login from outside is an alert at once; a few mistyped addresses are nothing.
  offNetwork: { alert: 1 },
  scope: { alert: 20 },
  // Many people from one new place have moved, or their provider has: it is told once, for the place.
  addressing: { alert: 5 },
  recipients: { alert: 60, times: 3, least: 20 },
  clients: { alert: 10 },
}
