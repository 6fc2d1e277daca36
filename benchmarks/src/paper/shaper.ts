/**
 * A link shaped by a proxy: every connection goes through one process, which has a token bucket for
 * each direction. For machines where no network namespaces may be made. Run as a program it is that
 * process.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { createServer, connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseAddress } from '@godwit/transport'
import { ShapedLane } from './shaped-lane.ts'

export const SHAPER_PROGRAM: string = fileURLToPath(import.meta.url)
const host = '127.0.0.1'

export class Shaper {
  readonly #there: ShapedLane
  readonly #back: ShapedLane

  constructor(bytesPerSecond: number) {
    this.#there = new ShapedLane(bytesPerSecond)
    this.#back = new ShapedLane(bytesPerSecond)
  }

  set rate(bytesPerSecond: number) {
    this.#there.rate = bytesPerSecond
    this.#back.rate = bytesPerSecond
  }

  /** Listens for connections to `address`; @returns where */
  async reach(address: string): Promise<string> {
    const { host: there, port } = parseAddress(address)
    // Both ways may end at different times, as TCP has it.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
      const far = connect({ host: there, port, allowHalfOpen: true, noDelay: true })
      pump(near, far, this.#there)
      pump(far, near, this.#back)
    })
    server.listen(0, host)
    await once(server, 'listening')
    return `${host}:${(server.address() as AddressInfo).port}`
  }
}

/** One piece at a time, so that connections take turns. */
function pump(from: Socket, to: Socket, lane: ShapedLane): void {
  from.on('data', (piece) => {
    from.pause()
    lane.send(piece.length, () => {
      if (to.destroyed) from.destroy()
      else if (to.write(piece)) from.resume()
      else to.once('drain', () => from.resume())
    })
  })
  // Behind the bytes that are still in the lane.
  from.on('end', () => lane.send(0, () => to.end()))
  from.on('error', () => to.destroy())
  from.on('close', () => {
    if (!from.readableEnded) to.destroy()
  })
}

/** What it is told, line by line, and answers. */
export type ShaperCommand = { readonly reach: string } | { readonly bytesPerSecond: number }

async function obey(shaper: Shaper): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line) as ShaperCommand
    if ('bytesPerSecond' in command) shaper.rate = command.bytesPerSecond
    const answer = 'reach' in command ? await shaper.reach(command.reach) : 'done'
    process.stdout.write(`${answer}\n`)
  }
  process.exit()
}

if (process.argv[1] === SHAPER_PROGRAM) await obey(new Shaper(Number(process.argv[2])))
