/**
 * Compiled code is kept between processes and threads, which halves what starting one costs.
 * Import it before anything that starts a process or a guest.
 *
 * @module
 */
import { fileURLToPath } from 'node:url'

process.env['NODE_COMPILE_CACHE'] = fileURLToPath(
  new URL('../../node_modules/.cache/godwit-end-to-end', import.meta.url),
)
