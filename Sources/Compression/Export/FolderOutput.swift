internal import Checkpoints

/// Puts finished steps together to a folder of safetensors.
struct FolderOutput {
    private let job: CompressionJob
    private let work: WorkFolder

    init(_ job: CompressionJob, _ work: WorkFolder) {
        self.job = job
        self.work = work
    }

    func write(to path: String) throws {
        throw CompressionError("folders are not written yet; name the output with .gguf")
    }
}
