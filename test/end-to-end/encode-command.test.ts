/**
 * `godwit send --encode`: what is refused, and what people and scripts are told.
 */
import { reportSchema } from 'godwit/report-schema'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { endCommandLines, runCommandLine } from './command-lines.ts'
import { endProcesses, freshPath, readReport, runGodwit, startDestination } from './process.ts'

afterEach(endProcesses)
afterAll(endCommandLines)

describe('--encode', () => {
  const nowhere = ['--to', '127.0.0.1:9', '--memory', '1MiB', '--quiet']

  it.each<[string, RegExp]>([
    ['nonsense', /encode: "nonsense" is not known; there are raw, none, same, .*\bauto$/],
    ['same,nonsense', /"nonsense" is not known/],
    ['zstd,lz4', /a batch is compressed in one way only/],
    ['auto,same', /auto goes with nothing else/],
    ['zstd,level=99', /level=99: it is a whole number from 1 to 19/],
    ['same,level=3', /"level" is no option of same, which has store/],
    ['', /"" is not known/],
    ['constructor', /"constructor" is not known/],
  ])('is refused before anything is begun: %s', async (encode, text) => {
    const ended = await runCommandLine('send', 'idle', '--encode', encode, ...nowhere)
    expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/^godwit: USAGE: [^\n]+\n$/)
    expect(ended.stderr.trim()).toMatch(text)
  })

  it.each([
    ['auto', ['zero', 'unchanged', 'delta', 'zstd'], / encoding .*zstd, /],
    ['same,mdd,lz4', ['zero', 'unchanged', 'same', 'delta', 'similar', 'lz4'], / encoding .*lz4 /],
  ])('moves a guest: %s', async (encode, encoders, line) => {
    const [file, other] = [freshPath('source.json'), freshPath('destination.json')]
    const brief = ['--once', '--run-for', '60ms', '--json', other]
    const destination = await startDestination(...brief)
    const guest = ['writer,wss=1MiB,rate=5000,content=10/50/30/10', '--memory', '16MiB']
    // So slow a link that compression pays, whatever the machine is busy with.
    const slow = ['--max-bandwidth', '400Mbit', '--pause-bandwidth', '4Gbit', '--warmup', '30ms']
    const options = ['--to', destination.address, '--encode', encode, '--json', file, ...slow]
    const sent = await runGodwit('send', ...guest, ...options, '--stop', 'max-rounds=3')
    const received = await destination.process.ended
    expect(sent.stderr).not.toMatch(/godwit: /)
    expect([sent.code, received.code]).toEqual([0, 0])
    const [source, arrived] = [readReport(file), readReport(other)]
    for (const report of [source, arrived]) {
      const result = await reportSchema['~standard'].validate(report)
      expect(result.issues).toBeUndefined()
    }
    expect(source).toMatchObject({ outcome: 'completed', memory: { equal: true }, encoders })
    expect(source.guestProof!.continuous).toBe(true)
    expect(source.encoding).toMatchObject({ asked: encode, repairedPages: 0 })
    expect(arrived.pages).toEqual(source.pages)
    expect(arrived.wireBytes).toBe(source.wireBytes)
    // On loopback there may be nothing that is worth it.
    const isSure = encode !== 'auto'
    expect(source.wireBytes < source.memoryBytes! * 0.8 || !isSure).toBe(true)
    expect(source.pages!.compressed > 0 || !isSure).toBe(true)
    expect(/^pages .* compressed/m.test(sent.stdout) || !isSure).toBe(true)
    expect(/^saved .*\b(zstd|lz4) [\d.]+ MiB/m.test(sent.stdout) || !isSure).toBe(true)
    // Long lines are wrapped.
    expect(sent.stdout.replaceAll(/\s+/g, ' ')).toMatch(line)
  })
})
