/// Panels made earlier, mapped from a file.
public final class PanelFile: @unchecked Sendable {
    func panels(at offset: Int, count: Int) -> UnsafePointer<UInt8> { fatalError() }
}
