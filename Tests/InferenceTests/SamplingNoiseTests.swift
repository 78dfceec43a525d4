import Inference
import Testing

@Suite struct SamplingNoise {
    /// The known-answer vectors published with Philox (Random123, `kat_vectors`): counter, key, output.
    @Test(arguments: [
        (
            SIMD4<UInt32>(repeating: 0), SIMD2<UInt32>(repeating: 0),
            SIMD4<UInt32>(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)
        ),
        (
            SIMD4<UInt32>(repeating: .max), SIMD2<UInt32>(repeating: .max),
            SIMD4<UInt32>(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
        ),
        (
            SIMD4<UInt32>(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2<UInt32>(0xa409_3822, 0x299f_31d0),
            SIMD4<UInt32>(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
        ),
    ])
    func knownAnswers(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, output: SIMD4<UInt32>) {
        #expect(Philox.block(counter: counter, key: key) == output)
    }

    @Test func addressIsSeedPositionSamplePurposeBlock() {
        let noise = AddressedNoise(seed: 0x299f_31d0_a409_3822, sampleIndex: 7)
        let words = Philox.block(
            counter: SIMD4(11, 7, NoisePurpose.exclusion.rawValue, 3), key: SIMD2(0xa409_3822, 0x299f_31d0))
        #expect(noise.block(position: 11, purpose: .exclusion, index: 3) == words)
        let low = Double((UInt64(words.y) << 32 | UInt64(words.x)) >> 11) / 9_007_199_254_740_992
        let high = Double((UInt64(words.w) << 32 | UInt64(words.z)) >> 11) / 9_007_199_254_740_992
        #expect(noise.uniform(position: 11, purpose: .exclusion, index: 6) == low)
        #expect(noise.uniform(position: 11, purpose: .exclusion, index: 7) == high)
    }

    @Test func everyPartOfTheAddressMatters() {
        var seen: Set<Double> = []
        var count = 0
        for seed in [0, 1, 1 << 32, UInt64.max] {
            for sample in [0, 1, UInt32.max] {
                for position in [0, 1, 4_294_967_295] {
                    for purpose in [NoisePurpose.token, .exclusion, .seed] {
                        for index in 0..<4 {
                            let noise = AddressedNoise(seed: seed, sampleIndex: sample)
                            seen.insert(noise.uniform(position: position, purpose: purpose, index: index))
                            count += 1
                        }
                    }
                }
            }
        }
        #expect(seen.count == count)
    }

    /// 64 equal cells over neighbouring positions; chi-square with 63 degrees of freedom is below 111 with p = 0.9998.
    @Test(arguments: [0, 1, 2, 3])
    func uniformOverPositions(index: Int) {
        let noise = AddressedNoise(seed: 2024)
        var cells = [Int](repeating: 0, count: 64)
        for position in 0..<6400 {
            cells[Int(noise.uniform(position: position, purpose: .token, index: index) * 64)] += 1
        }
        let chi = cells.reduce(0.0) { $0 + (Double($1) - 100) * (Double($1) - 100) / 100 }
        #expect(chi < 111)
    }
}
