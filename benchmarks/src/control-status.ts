/**
 * How far a `godwit send` is, by its control socket.
 *
 * @module
 */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'

export interface ControlStatus {
  readonly guest: string
  readonly state?: string
}

/** As long as nobody answers, the guest is starting. */
export async function readStatus(control: string): Promise<ControlStatus> {
  if (!existsSync(control)) return { guest: 'starting' }
  const socket = createConnection(control)
  try {
    await once(socket, 'connect')
    socket.write('{"command":"status"}\n')
    return (JSON.parse(await text(socket)) as { result: ControlStatus }).result
  } catch {
    return { guest: 'starting' }
  } finally {
    socket.destroy()
  }
}
