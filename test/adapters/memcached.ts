/**
 * The memcached guest, for the suite: clients that never stop make it compute.
 *
 * @module
 */
import { connect, type Socket } from 'node:net'
import type { GuestOffer, Region, ZeroMemory } from '@godwit/core'
import { IncomingMemcached, MemcachedGuest, MemcachedHost, parseMemcached } from '@godwit/memcached'
import type { AdapterUnderTest } from 'godwit/adapter-suite'
import { roomForOne } from './room.ts'

const memoryBytes = 8 * 2 ** 20
const { identity } = parseMemcached('memcached,port=0,next=0')

/** A client that stores without end. */
function load(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  let left = 0
  const ask = (): void => {
    left = 20
    socket.write('set n 0 0 8\r\n12345678\r\n'.repeat(20))
  }
  socket.on('connect', ask)
  socket.on('data', (chunk) => {
    for (const byte of chunk) if (byte === 0x0a) left--
    if (left === 0) ask()
  })
  socket.on('error', () => {})
  return socket
}

/** The last CAS unique that was given out, by its place in memory. */
function stores([region]: readonly Region[]): number {
  const { buffer, byteOffset } = region!.bytes
  return new Float64Array(buffer, byteOffset, 8)[7]!
}

/** Room for one. */
class LoadedHost extends MemcachedHost {
  readonly #loads: Socket[] = []

  constructor() {
    super(roomForOne(memoryBytes))
  }

  override async reserve(offer: GuestOffer, zero: ZeroMemory): Promise<IncomingMemcached> {
    const guest = await super.reserve(offer, zero)
    this.#loads.push(load(guest.place.port))
    return guest
  }

  end(): void {
    for (const socket of this.#loads) socket.destroy()
  }
}

export const memcached: AdapterUnderTest = {
  async startGuest() {
    const guest = await MemcachedGuest.start(identity, memoryBytes)
    const socket = load(guest.place.port)
    return {
      guest,
      progress: () => stores(guest.regions),
      async end() {
        socket.destroy()
        await guest.stop()
      },
    }
  },
  createHost() {
    const host = new LoadedHost()
    return { host, progress: ({ regions }) => stores(regions), end: () => host.end() }
  },
}
