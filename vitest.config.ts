import { defineConfig, type ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = defineConfig({
  test: {
    include: ['packages/*/src/**/*.test.ts', 'benchmarks/src/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**'],
    // Two cores, and many tests that wait for processes, deadlines and heartbeats.
    maxWorkers: 3,
    // The runtime strips types by WebAssembly, in every thread. V8 frees what such code calls out
    // by when that was called often, and has aborted a process at that: then it is made once.
    execArgv: ['--no-wasm-generic-wrapper'],
    testTimeout: 30_000,
  },
})

export default config
