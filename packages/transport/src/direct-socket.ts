/**
 * Sockets that read straight into memory of ours.
 *
 * Node offers this (`onread`) to whoever dials only, and at the time of dialling. An accepted
 * connection gets it by giving its handle to a new socket. That needs one field that Node does not
 * document; where it is missing or looks different, nothing happens and `data` events do.
 *
 * @module
 */
import { Socket, type SocketConstructorOpts } from 'node:net'
import type { ChannelSink, SinkFeed } from '@godwit/core'
import { BusyPoll } from './busy-poll.ts'

/** Allocated for anybody who has sent one byte. */
const firstReadBytes = 4 * 1024

/** The part of Node's stream handle that is looked at. */
interface StreamHandle {
  readonly useUserBuffer: unknown
}

/**
 * Moves the connection of `socket`, which must not flow yet, to a new socket that reads into the
 * sinks of `feed`. What `socket` has read already is returned and comes first. `socket` itself must
 * be destroyed when the new one closes: it is counted until then, and tells its end.
 *
 * @param staysAwake - between reads that follow each other fast; see {@link BusyPoll}
 * @returns undefined where this Node cannot do it; `socket` is as it was then
 */
export function toDirectSocket(
  socket: Socket,
  feed: SinkFeed,
  staysAwake = true,
): { socket: Socket; early: Uint8Array | undefined } | undefined {
  const owner = socket as unknown as { _handle?: StreamHandle | null }
  const handle = owner._handle
  const canMove = typeof handle?.useUserBuffer === 'function' && !socket.connecting
  if (!canMove || socket.readableEnded || socket.destroyed || socket.writableLength > 0) {
    return undefined
  }
  const early = (socket.read() as Buffer | null) ?? undefined
  const whenClosed = socket.listeners('close') as (() => void)[]
  socket.removeAllListeners()
  for (const listener of whenClosed) socket.on('close', listener)
  owner._handle = null
  const options = { handle, onread: readInto(feed, staysAwake) }
  return { socket: new Socket(options as unknown as SocketConstructorOpts), early }
}

/**
 * Node asks for the next buffer right after a read, long before the next bytes come. The first one,
 * and one whose sink was replaced meanwhile, must therefore be copied from.
 */
function readInto(feed: SinkFeed, staysAwake: boolean): object {
  let buffer: Uint8Array = new Uint8Array(firstReadBytes)
  let sink: ChannelSink | undefined
  let isFirst = true
  const poll = staysAwake ? new BusyPoll() : undefined
  return {
    buffer: () => {
      if (!isFirst) {
        sink = feed.sink
        buffer = feed.space()
      }
      isFirst = false
      return buffer
    },
    callback: (byteCount: number) => {
      poll?.received(byteCount)
      if (sink !== undefined && sink === feed.sink) feed.received(byteCount)
      else feed.deliver(buffer.subarray(0, byteCount))
      return true
    },
  }
}
