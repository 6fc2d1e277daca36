import { describe, expect, it } from 'vitest'
import { LoadReader } from './memcaslap.ts'

const head =
  'Type     Time(s)  Ops          TPS(ops/s)   Net(M/s)   Get_miss   Min(us)  Max(us)    Avg(us)'
/** As memaslap 1.0 of libmemcached-tools 1.1.4 writes it. */
const output = `servers: 127.0.0.1:11211
threads count: 1
Get Statistics
${head}
Period   1        8366         8366         8.7        0          121      178153     1460
Global   3        34959        11653        12.1       0          25       178153     1168

Total Statistics
${head}
Period   1        9294         9294         9.6        0          121      178153     1488
Global   3        38850        12950        13.4       0          25       276078     1178

Total Statistics
${head}
Period   1        9001         9001         9.6        0          121      2500       1488
cmd_get: 34987
cmd_set: 3895
get_misses: 2
verify_misses: 1
verify_failed: 3
written_bytes: 6748840

Run time: 3.0s Ops: 38882 TPS: 12859 Net_rate: 14.4M/s`

function read(text: string): LoadReader {
  const reader = new LoadReader()
  for (const [i, line] of text.split('\n').entries()) reader.read(line, i)
  return reader
}

describe('LoadReader', () => {
  it('takes seconds from the totals, and figures from the end', () => {
    const { seconds, result, complaints } = read(output)
    expect(seconds).toEqual([
      { endMs: 9, operations: 9294, longestMs: 178.153 },
      { endMs: 14, operations: 9001, longestMs: 2.5 },
    ])
    expect(complaints).toEqual([])
    expect(result).toEqual({ operationsPerSecond: 12_859, complaints: 0, errors: 6 })
  })

  it('counts what it complains about', () => {
    const wrong = ['<7 ERROR', 'Server 127.0.0.1:11211 disconnect', "key: 1f didn't set success"]
    const { result, complaints } = read([...wrong, output].join('\n'))
    expect(complaints).toEqual(wrong)
    expect(result).toMatchObject({ complaints: 3, errors: 9 })
  })

  it('has no result before the end', () => {
    expect(() => read(output.slice(0, -40)).result).toThrow('no result')
  })
})
