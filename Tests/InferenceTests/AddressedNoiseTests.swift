import Inference
import Testing

@Test func purposesAreDistinct() {
    #expect(NoisePurpose.token.rawValue != NoisePurpose.exclusion.rawValue)
}
