/**
 * Every moment of a migration that a test can see from the source: each of its states has one.
 *
 * @module
 */
import type { WorkloadGuest } from '@godwit/guest'
import { vi } from 'vitest'
import type { SourceSettings } from './rig.ts'
import type { OnUnit } from './tap.ts'

/**
 * `look` is called before the guest is paused, captured, resumed or asked for stores, before a
 * channel is dialled, and for every frame of the control channel and of those for pages. Spies on
 * `guest` until mocks are restored.
 */
export function lookingAt(
  guest: WorkloadGuest,
  look: (unit?: Parameters<OnUnit>[0]) => void,
): SourceSettings {
  const pause = guest.pause.bind(guest)
  const resume = guest.resume.bind(guest)
  const capture = guest.captureState.bind(guest)
  const tracker = guest.trackers[0]!
  const collect = tracker.collect.bind(tracker)
  vi.spyOn(guest, 'pause').mockImplementation(() => {
    look()
    return pause()
  })
  vi.spyOn(guest, 'resume').mockImplementation(() => {
    look()
    return resume()
  })
  vi.spyOn(guest, 'captureState').mockImplementation(() => {
    look()
    return capture()
  })
  vi.spyOn(tracker, 'collect').mockImplementation((from, count, into) => {
    look()
    return collect(from, count, into)
  })
  const onUnit: OnUnit = (unit) => {
    look(unit)
    return 'pass'
  }
  return { onDial: () => look(), onControl: onUnit, onData: onUnit }
}
