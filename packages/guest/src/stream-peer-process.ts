/**
 * The entry of a peer that a guest's network card starts for itself: tells its port, and ends when
 * nobody holds its standard input any more, however the guest ended.
 *
 * @module
 */
import type { AddressInfo } from 'node:net'
import { createStreamPeer } from './stream-peer.ts'

const server = createStreamPeer()
server.listen({ host: '127.0.0.1', port: 0 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
})
process.stdin.on('close', () => process.exit()).resume()
