import { type Guest, noMarks } from '@godwit/core'
import { describe, expect, it } from 'vitest'
import { hookedGuest } from './hooked-guest.ts'

/** A guest with all that a guest may have; tells what it is asked for. */
function wholeGuest(): { guest: Required<Guest>; asked: string[] } {
  const asked: string[] = []
  const ask = (name: string): void => void asked.push(name)
  const guest: Required<Guest> = {
    identity: { kind: 'whole', options: {} },
    regions: [],
    trackers: [],
    isForeign: true,
    marks: noMarks('none', 'made up'),
    classes: {} as Required<Guest>['classes'],
    addUntouched: () => ask('addUntouched'),
    nextRound: () => {
      ask('nextRound')
      return Promise.resolve(undefined)
    },
    nextPages: () => {
      ask('nextPages')
      return Promise.resolve(1)
    },
    pause: () => {
      ask('pause')
      return Promise.resolve()
    },
    resume: () => ask('resume'),
    throttle: () => ask('throttle'),
    captureState: () => {
      ask('captureState')
      return new Uint8Array(1)
    },
    restoreState: () => ask('restoreState'),
    steps: () => {
      ask('steps')
      return 7
    },
  }
  return { guest, asked }
}

describe('a guest with a hook in its pause', () => {
  it('has all that the guest has, and no more', () => {
    const { guest } = wholeGuest()
    const hook = (): Promise<void> => Promise.resolve()
    expect(Object.keys(hookedGuest(guest, hook)).toSorted()).toEqual(Object.keys(guest).toSorted())
    const { identity, regions, pause, resume, captureState } = guest
    const least: Guest = { identity, regions, pause, resume, captureState }
    expect(Object.keys(hookedGuest(least, hook)).toSorted()).toEqual(Object.keys(least).toSorted())
  })

  it('runs it once it stands, in each pause once', async () => {
    const { guest, asked } = wholeGuest()
    const hooked = hookedGuest(guest, () => {
      asked.push('hook')
      return Promise.resolve()
    })
    await hooked.nextRound?.()
    await hooked.pause()
    await hooked.pause()
    await hooked.resume()
    await hooked.pause()
    expect(asked).toEqual(['nextRound', 'pause', 'hook', 'pause', 'resume', 'pause', 'hook'])
  })

  it('does not stand where it fails', async () => {
    const { guest } = wholeGuest()
    const hooked = hookedGuest(guest, () => Promise.reject(new Error('no')))
    await expect(hooked.pause()).rejects.toThrow('no')
  })
})
