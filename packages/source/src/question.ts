/**
 * A source that let a guest go and died before it heard what came of it asks the destination, with
 * nothing left but what it had in writing.
 *
 * @module
 */
import type { OwnerRecord } from '@godwit/core'
import { GodwitError, PeerError, ProtocolError, TransportError, fromHex } from '@godwit/core'
import type { ControlHandler } from '@godwit/link'
import { OWNER_EPOCH, checkEpoch } from '@godwit/session'
import type { Message, OwnerAnswer } from '@godwit/wire'
import { errorCodeOf } from '@godwit/wire'
import { Connection } from './connection.ts'
import type { SourceOptions } from './options.ts'
import { Seals } from './seals.ts'

/** A destination that is told COMMIT has the guest to start before it answers. */
const deadlineMs = 60_000

/** Above all that a source which counts its connections comes to; it grows with time. */
function laterEpoch(): number {
  return Math.floor(Date.now() / 1000)
}

/** How the destination is reached. */
export type QuestionOptions = Pick<
  SourceOptions,
  'dialler' | 'controlDialler' | 'security' | 'clock'
>

/**
 * Asks whose the guest of a record is that says `released`. Where the destination only waits for
 * COMMIT, and has all of the guest, it gets it: nobody else can run the guest any more.
 *
 * @throws {GodwitError} the destination cannot be reached, or does not know the session
 */
export async function askOwner(
  { session, postCopy, binding }: OwnerRecord,
  options: QuestionOptions,
): Promise<OwnerAnswer> {
  const answered = Promise.withResolvers<OwnerAnswer>()
  const hear = (message: Message): void => {
    switch (message.name) {
      case 'Owner':
        checkEpoch(message.body.epoch)
        if (message.body.owner !== 'prepared' || postCopy) answered.resolve(message.body.owner)
        else connection.send({ name: 'Commit', body: { epoch: OWNER_EPOCH } })
        break
      case 'Running':
        answered.resolve('running')
        break
      case 'Error':
        answered.reject(new PeerError(errorCodeOf(message.body.code), message.body.text))
        break
      case 'Heartbeat':
        break
      default: {
        const text = `The destination answered with ${message.name}`
        answered.reject(new ProtocolError('PROTOCOL_STATE', text))
      }
    }
  }
  const { security } = options
  const root = binding && fromHex(binding.secret)
  const seals = security && new Seals(security, security, undefined, root)
  const handler: ControlHandler = {
    message: (message) => {
      try {
        hear(message)
      } catch (thrown) {
        answered.reject(thrown)
      }
    },
    closed: (error) => answered.reject(error ?? hungUp()),
  }
  const connection: Connection = new Connection(
    { ...options, seals },
    fromHex(session),
    laterEpoch(),
    handler,
  )
  const forget = options.clock.after(deadlineMs, () => answered.reject(noAnswer()))
  try {
    await connection.open()
    connection.send({ name: 'OwnerQuery', body: { epoch: OWNER_EPOCH } })
    return await answered.promise
  } finally {
    forget()
    connection.close()
  }
}

function hungUp(): GodwitError {
  return new TransportError('CONNECTION_LOST', 'The destination closed the connection')
}

function noAnswer(): GodwitError {
  return new TransportError('CONNECTION_TIMEOUT', 'The destination does not say whose the guest is')
}
