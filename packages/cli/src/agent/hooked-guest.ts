/**
 * A guest whose pause has a hook in it.
 *
 * @module
 */
import type { Guest, PageBitmap } from '@godwit/core'

/**
 * The same guest, but that `inPause` runs once it stands still, in each pause, before its last
 * pages go: that is downtime. Where it rejects the migration fails, and the guest goes on here.
 */
export function hookedGuest(guest: Guest, inPause: () => Promise<void>): Guest {
  let hooked: Promise<void> | undefined
  return {
    identity: guest.identity,
    regions: guest.regions,
    ...(guest.trackers === undefined ? {} : { trackers: guest.trackers }),
    ...(guest.marks === undefined ? {} : { marks: guest.marks }),
    ...(guest.classes === undefined ? {} : { classes: guest.classes }),
    ...(guest.nextRound === undefined ? {} : { nextRound: () => guest.nextRound!() }),
    ...(guest.nextPages === undefined ? {} : { nextPages: () => guest.nextPages!() }),
    async pause() {
      await guest.pause()
      hooked ??= inPause()
      await hooked
    },
    resume() {
      hooked = undefined
      return guest.resume()
    },
    ...(guest.isForeign === undefined ? {} : { isForeign: guest.isForeign }),
    ...(guest.addUntouched === undefined
      ? {}
      : {
          addUntouched: (pageBytes: number, region: number, into: PageBitmap) =>
            guest.addUntouched!(pageBytes, region, into),
        }),
    captureState: () => guest.captureState(),
    ...(guest.throttle === undefined
      ? {}
      : { throttle: (share: number) => guest.throttle!(share) }),
    ...(guest.restoreState === undefined
      ? {}
      : { restoreState: (state: Uint8Array) => guest.restoreState!(state) }),
    ...(guest.steps === undefined ? {} : { steps: () => guest.steps!() }),
  }
}
