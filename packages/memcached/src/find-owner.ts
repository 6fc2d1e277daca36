/**
 * Finds out who executes requests, of several who may. At most one does: the others are paused, or
 * still arriving, or gone.
 *
 * @module
 */
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Place } from './place.ts'

/** Between two attempts at one that did not answer. */
const againMs = 100

/**
 * Asks each, again and again, for nothing (`mn`).
 *
 * @returns the first that answers; undefined when it was aborted
 */
export async function findOwner(
  places: readonly Place[],
  signal: AbortSignal,
): Promise<Place | undefined> {
  const over = new AbortController()
  const either = AbortSignal.any([signal, over.signal])
  const asked = places.map(async (place) => {
    while (!either.aborted) {
      if (await answers(place, either)) return place
      await sleep(againMs, undefined, { signal: either }).catch(() => {})
    }
    return undefined
  })
  try {
    return await Promise.race(asked)
  } finally {
    over.abort()
  }
}

/** Waits as long as the connection stands. */
function answers(place: Place, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, noDelay: true })
    const end = (isAnswered: boolean): void => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      resolve(isAnswered)
    }
    const abort = (): void => end(false)
    signal.addEventListener('abort', abort)
    socket.on('connect', () => socket.write('mn\r\n'))
    // Whatever it says to that, it executes what it is asked.
    socket.on('data', () => end(true))
    socket.on('error', () => {})
    socket.on('close', () => end(false))
  })
}
