import Checkpoints
import Testing

@Test func errorNamesFileTensorAndField() {
    let error = CheckpointError(
        file: "a.gguf", tensor: "blk.0.attn_q.weight", field: "offset", reason: "9 is past the end")
    #expect(error.description == "a.gguf, tensor blk.0.attn_q.weight, offset: 9 is past the end")
}
