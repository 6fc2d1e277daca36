/**
 * A port that several threads of one service listen on, and no other service.
 *
 * Each thread has a socket of its own, and the kernel deals connections out to them
 * (`SO_REUSEPORT`). It would deal them out to another process's that asks for the same, too: two
 * services at one port would each get half of the clients, and neither would know. Hence a claim.
 *
 * @module
 */
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type Place, placeError } from './place.ts'

/** Ports that the kernel chose for one protocol, and are not free for the other. */
const attemptsMax = 16

/** Held as long as the service listens. */
export interface PortClaim {
  /** With an address for a name, and a port that is not 0. */
  readonly place: Place
  release(): void
}

/**
 * Binds the UDP port of the same number, which nothing is served at: only one can have that, and a
 * service that wants the port asks for it first. Then looks whether somebody listens there by TCP
 * who claims nothing.
 *
 * @throws {GodwitError} `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`
 */
export async function claimPort(place: Place): Promise<PortClaim> {
  for (let left = place.port === 0 ? attemptsMax : 1; ; left--) {
    try {
      return await claimOnce(place)
    } catch (error) {
      if (left === 1) throw placeError(error as NodeJS.ErrnoException)
    }
  }
}

async function claimOnce({ host, port }: Place): Promise<PortClaim> {
  const { address, family } = await lookup(host)
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4' })
  // It keeps no process alive by itself, and ends none: what comes there is nobody's.
  socket.unref()
  socket.on('error', () => {})
  try {
    socket.bind({ address, port, exclusive: true })
    await once(socket, 'listening')
    const claimed = { host: address, port: socket.address().port }
    await tryTcp(claimed)
    return { place: claimed, release: () => void socket.close() }
  } catch (error) {
    socket.close()
    throw error
  }
}

/** Without `SO_REUSEPORT`: that fails wherever somebody listens. */
async function tryTcp({ host, port }: Place): Promise<void> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}
