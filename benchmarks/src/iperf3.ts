/**
 * The same limit as another program sees it, where it is installed.
 *
 * @module
 */
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { start } from './children.ts'
import { isInstalled, run } from './process.ts'

const port = 15201

/** Bytes per second of one iperf3 stream over loopback; undefined where it is not installed. */
export async function measureIperf3(seconds: number): Promise<number | undefined> {
  if (!(await isInstalled('iperf3'))) return undefined
  const server = start('iperf3', ['-s', '-1', '--forceflush', '-B', '127.0.0.1', '-p', `${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const lines = createInterface({ input: server.stdout })
    for await (const line of lines) if (line.includes('listening')) break
    const ended = once(server, 'exit')
    const json = await run('iperf3', ['-c', '127.0.0.1', '-p', `${port}`, '-t', `${seconds}`, '-J'])
    await ended
    const { end } = JSON.parse(json) as { end: { sum_received: { bits_per_second: number } } }
    return end.sum_received.bits_per_second / 8
  } finally {
    server.kill('SIGKILL')
  }
}
