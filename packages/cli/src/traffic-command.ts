/**
 * `godwit traffic`: traffic of a service on a link that migrations use as well, and its other end.
 *
 * @module
 */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import {
  GodwitError,
  formatBytes,
  formatDurationMs,
  formatRate,
  parseDurationMs,
  parseRate,
} from '@godwit/core'
import type { StreamAccount } from '@godwit/guest'
import { createStreamPeer } from '@godwit/guest'
import {
  formatHostPort,
  parseAddress,
  requireSecureOrLoopback,
  toTransportError,
} from '@godwit/transport'
import type { Command } from 'commander'
import { listenForTraffic, startTraffic } from 'godwit'
import type { ExitCode } from './exit-code.ts'
import { print } from './output.ts'
import { ExitCode as Exit } from './exit-code.ts'
import { listenToInterrupts } from './interrupt.ts'

interface TrafficSettings {
  readonly listen?: string
  readonly to?: string
  readonly streams?: string
  readonly rate?: number
  readonly for?: number
  readonly insecure?: boolean
}

/** Adds the command; `finish` gets the exit code. */
export function addTrafficCommand(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command('traffic')
    .description('Send random bytes at a rate beside migrations, or take and drop them')
    .option('--listen <ADDRESS>', 'take what comes at HOST:PORT (port 0: any)')
    .option('--to <ADDRESS>', 'send to HOST:PORT, where a `godwit traffic --listen` is')
    .option(
      '--streams <ADDRESS>',
      'send guests `network` at HOST:PORT what they ask for, until Ctrl-C',
    )
    .option('--rate <RATE>', 'how much to send, like 100Mbit', parseRate)
    .option('--for <T>', 'how long to send, or to take (default: until Ctrl-C)', parseDurationMs)
    .option('--insecure', 'listen off loopback, where anybody may send')
    .addHelpText(
      'after',
      '\nExample:\n  godwit traffic --listen 127.0.0.1:7009\n' +
        '  godwit send kcs --to 127.0.0.1:7000 --competing 200Mbit,to=127.0.0.1:7009\n' +
        '  godwit traffic --streams 127.0.0.1:7010\n' +
        '  godwit send network,peer=127.0.0.1:7010 --to 127.0.0.1:7000',
    )
    .action(async (settings: TrafficSettings) => {
      if (settings.streams !== undefined) return finish(await sendStreams(settings))
      finish(await (settings.listen === undefined ? sendTraffic : takeTraffic)(settings))
    })
}

async function takeTraffic(settings: TrafficSettings): Promise<ExitCode> {
  const { listen, to, rate, for: forMs, insecure } = settings
  if (to !== undefined || rate !== undefined) {
    throw new GodwitError('USAGE', 'traffic takes either --listen, or --to and --rate')
  }
  const sink = await listenForTraffic(listen!, insecure)
  const interrupts = listenToInterrupts()
  print(`listening ${sink.address}`)
  const time = Promise.withResolvers<void>()
  const timer = forMs === undefined ? undefined : setTimeout(time.resolve, forMs)
  await Promise.race([interrupts.first, time.promise])
  clearTimeout(timer)
  interrupts.stop()
  sink.close()
  print(`received ${formatBytes(sink.receivedBytes)}`)
  return Exit.Done
}

function streamText({ seed, first, sent, acknowledged, error }: StreamAccount): string {
  const text = `stream ${seed}: segments ${first} to ${sent} sent, ${acknowledged} acknowledged`
  return error === undefined ? text : `${text}; ended: ${error.message}`
}

/** @throws {GodwitError} `USAGE`, `ADDRESS_INVALID`, `INSECURE_ADDRESS`, and of sockets */
async function sendStreams(settings: TrafficSettings): Promise<ExitCode> {
  const { streams, listen, to, rate, for: forMs, insecure } = settings
  const others = [listen, to, rate, forMs, insecure]
  if (others.some((other) => other !== undefined)) {
    throw new GodwitError('USAGE', 'traffic takes nothing beside --streams: guests say how much')
  }
  const { host, port } = parseAddress(streams!)
  // Guests dial nobody else.
  requireSecureOrLoopback(host, false)
  const server = createStreamPeer((account) => print(streamText(account)))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw toTransportError(error, streams!)
  }
  const interrupts = listenToInterrupts()
  const bound = server.address() as AddressInfo
  print(`listening ${formatHostPort(bound.address, bound.port)}`)
  await interrupts.first
  interrupts.stop()
  server.close()
  for (const socket of sockets) socket.destroy()
  return Exit.Done
}

async function sendTraffic(settings: TrafficSettings): Promise<ExitCode> {
  const { to, rate, for: forMs } = settings
  if (to === undefined || rate === undefined) {
    throw new GodwitError('USAGE', 'traffic takes --listen, or --to and --rate, or --streams')
  }
  const interrupts = listenToInterrupts()
  const traffic = await startTraffic({ to, bytesPerSecond: rate })
  const read = traffic.measure()
  const time = Promise.withResolvers<undefined>()
  const end = (): void => time.resolve(undefined)
  const timer = forMs === undefined ? undefined : setTimeout(end, forMs)
  const interrupted = interrupts.first.then(() => undefined)
  const error = await Promise.race([traffic.ended, time.promise, interrupted])
  clearTimeout(timer)
  interrupts.stop()
  const { bytes, ms, bytesPerSecond } = read()
  traffic.stop()
  const sent = `sent ${formatBytes(bytes)} in ${formatDurationMs(ms)}`
  print(`${sent}: ${formatRate(bytesPerSecond)} of ${formatRate(rate)}`)
  if (error !== undefined) throw error
  return Exit.Done
}
