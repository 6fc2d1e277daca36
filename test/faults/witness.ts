/**
 * Writes down, within an agent, when guests run there and whether their memory is right. Every line
 * is in the file before the guest goes on, and stays there when the agent is killed.
 *
 * @module
 */
import { appendFileSync } from 'node:fs'
import type { FinalState, GuestIdentity, Region } from '@godwit/core'
import { IncomingWorkload, WorkloadGuest, WorkloadHost, replay, stepsOf } from '@godwit/guest'

/** What a line of a journal says, behind the time: nanoseconds of a clock of the whole machine. */
export type Entry = 'runs' | 'stands' | 'equal' | 'differs' | 'gone'

/** Has all guests of this process watched. */
export function bearWitness(file: string): void {
  const write = (entry: Entry): void => {
    appendFileSync(file, `${process.hrtime.bigint()} ${entry}\n`)
  }
  watchSource(write)
  watchDestination(write)
}

/** Whether memory and registers are those of a guest that never moved and did as many steps. */
async function compare(
  identity: GuestIdentity,
  regions: readonly Region[],
  registers: Uint8Array,
): Promise<Entry> {
  const shared = regions.map((region) => ({
    ...region,
    bytes: new Uint8Array(new SharedArrayBuffer(region.bytes.length)),
  }))
  const stayed = await replay(identity, shared, stepsOf(registers))
  const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
  const isRight =
    isSame(registers, stayed.registers) &&
    regions.every(({ bytes }, i) => isSame(bytes, stayed.regions[i]!.bytes))
  return isRight ? 'equal' : 'differs'
}

/** Puts a method in the place of another, which it is given. */
function replace<Kind extends object, Name extends keyof Kind>(
  prototype: Kind,
  name: Name,
  by: (old: Kind[Name]) => Kind[Name],
): void {
  prototype[name] = by(prototype[name])
}

function watchSource(write: (entry: Entry) => void): void {
  const { prototype } = WorkloadGuest
  const running = new WeakSet<WorkloadGuest>()
  replace(prototype, 'resume', (resume) => {
    return function (this: WorkloadGuest) {
      write('runs')
      running.add(this)
      resume.call(this)
    }
  })
  replace(prototype, 'pause', (pause) => {
    return async function (this: WorkloadGuest) {
      await pause.call(this)
      running.delete(this)
      write('stands')
    }
  })
  // A guest that is the source's to the end must be as if nothing had ever happened to it.
  replace(prototype, 'stop', (stop) => {
    return async function (this: WorkloadGuest) {
      if (running.has(this)) {
        await this.pause()
        write(await compare(this.identity, this.regions, this.captureState()))
      }
      await stop.call(this)
    }
  })
}

function watchDestination(write: (entry: Entry) => void): void {
  const identities = new WeakMap<IncomingWorkload, GuestIdentity>()
  replace(WorkloadHost.prototype, 'reserve', (reserve) => {
    return async function (this: WorkloadHost, offer, zero) {
      const guest = await reserve.call(this, offer, zero)
      identities.set(guest, offer.identity)
      return guest
    }
  })
  const { prototype } = IncomingWorkload
  const ran = new WeakSet<IncomingWorkload>()
  const ends = new WeakMap<IncomingWorkload, FinalState>()
  replace(prototype, 'run', (run) => {
    return async function (this: IncomingWorkload) {
      write('runs')
      ran.add(this)
      await run.call(this)
    }
  })
  replace(prototype, 'stop', (stop) => {
    return async function (this: IncomingWorkload) {
      const end = await stop.call(this)
      ends.set(this, end)
      write('stands')
      return end
    }
  })
  // By then all of its pages have come, if they ever do.
  replace(prototype, 'discard', (discard) => {
    return async function (this: IncomingWorkload) {
      const end = ends.get(this)
      ends.delete(this)
      const identity = identities.get(this)!
      if (end !== undefined) write(await compare(identity, this.regions, end.registers))
      await discard.call(this)
      if (ran.delete(this)) write('gone')
    }
  })
}
