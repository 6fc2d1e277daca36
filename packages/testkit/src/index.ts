// `channel-compliance` has an entry of its own: it registers tests, so it needs a test runner.
export * from './fake-clock.ts'
export * from './faulty-channel.ts'
export * from './random.ts'
export * from './recording-sink.ts'
