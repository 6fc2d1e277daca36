import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const units = ['packages/*/src/**/*.test.ts', 'benchmarks/src/**/*.test.ts']
const tidy = ['test/tidy/**/*.test.ts']
const whole = ['test/**/*.test.ts']
const exclude = ['**/node_modules/**', '**/dist/**']

const config: ViteUserConfig = defineConfig({
  test: {
    // Two cores, and many tests that wait for processes, deadlines and heartbeats.
    maxWorkers: 3,
    // The runtime strips types by WebAssembly, in every thread. V8 frees what such code calls out
    // by when that was called often, and has aborted a process at that: then it is made once.
    execArgv: ['--no-wasm-generic-wrapper'],
    // Compiled code is kept between processes and threads: a thread of a guest is to be had sooner.
    env: {
      NODE_COMPILE_CACHE: fileURLToPath(
        new URL('node_modules/.cache/godwit-end-to-end', import.meta.url),
      ),
    },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      // Files that share what they import take a seventh less; these leave nothing behind.
      {
        extends: true,
        test: { name: 'units', include: [...units, ...tidy], exclude, isolate: false },
      },
      { extends: true, test: { name: 'whole', include: whole, exclude: [...exclude, ...tidy] } },
    ],
  },
})

export default config
