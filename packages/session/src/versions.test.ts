import { describe, expect, it } from 'vitest'
import { hello } from '../test/hello.ts'
import { checkWelcome, negotiate } from './terms.ts'
import type { VersionRange } from './versions.ts'
import { SESSION_VERSION, SESSION_VERSIONS, chooseVersion, spokenBy } from './versions.ts'

const terms = { software: '', pageBytes: [], dataChannelsMax: 4, heartbeatMs: 1000 }

/** What two releases make of each other, of which each is made for a version. */
function meet(source: number, destination: number): number {
  const { minimum: versionMin, maximum: versionMax } = spokenBy(source)
  const offer = { ...hello, versionMin, versionMax }
  const welcome = negotiate(offer, terms, spokenBy(destination))
  checkWelcome(offer, welcome)
  return welcome.version
}

const refusal = (text: RegExp) =>
  expect.objectContaining({ code: 'PROTOCOL_VERSION', message: expect.stringMatching(text) })

describe('a release', () => {
  it('speaks its own version and the one before', () => {
    expect(spokenBy(5)).toEqual({ minimum: 4, maximum: 5 })
    expect(spokenBy(2)).toEqual({ minimum: 1, maximum: 2 })
  })

  it('has nothing before the first one', () => {
    expect(spokenBy(1)).toEqual({ minimum: 1, maximum: 1 })
    expect(SESSION_VERSIONS).toEqual(spokenBy(SESSION_VERSION))
  })

  it.each([
    [5, 5, 5],
    [5, 4, 4],
    [4, 5, 4],
    [2, 1, 1],
    [1, 2, 1],
    [1, 1, 1],
  ])('of version %i talks to a destination of version %i: by %i', (source, destination, spoken) => {
    expect(meet(source, destination)).toBe(spoken)
  })

  it.each([
    [5, 3, /source speaks protocol 4 to 5, the destination 2 to 3\. Update the destination .* 4:/],
    [3, 5, /source speaks protocol 2 to 3, the destination 4 to 5\. Update the source .* 4:/],
    [3, 1, /source speaks protocol 2 to 3, the destination 1\. Update the destination .* 2:/],
    [1, 3, /source speaks protocol 1, the destination 2 to 3\. Update the source .* 2:/],
    [9, 1, /Update the destination .* 8:/],
  ])('of version %i is refused by one of version %i, which says what to do', (a, b, text) => {
    expect(() => meet(a, b)).toThrow(refusal(text))
  })
})

describe('versions', () => {
  it.each<[VersionRange, VersionRange, number]>([
    [{ minimum: 1, maximum: 9 }, { minimum: 3, maximum: 4 }, 4],
    [{ minimum: 4, maximum: 4 }, { minimum: 1, maximum: 9 }, 4],
    [{ minimum: 4, maximum: 6 }, { minimum: 6, maximum: 8 }, 6],
  ])('of peers that do as they like are the newest of both: %o %o', (source, destination, one) => {
    expect(chooseVersion(source, destination)).toBe(one)
  })

  it('in the wrong order are none', () => {
    const range = { minimum: 5, maximum: 4 }
    expect(() => chooseVersion(range, spokenBy(5))).toThrow(refusal(/no version.*5 to 4/))
  })

  it.each([
    [6, /chose protocol 6; the source speaks 4 to 5\. Update the source/],
    [3, /chose protocol 3; the source speaks 4 to 5\. Update the destination/],
  ])('that were not offered are not taken: %i', (version, text) => {
    const offer = { ...hello, versionMin: 4, versionMax: 5 }
    const welcome = { ...negotiate(offer, terms, spokenBy(5)), version }
    expect(() => checkWelcome(offer, welcome)).toThrow(refusal(text))
  })
})
