public import Foundation

/// Programs that were built with the tests.
public enum BuildProducts {
    /// The executable of this name in the folder of build products, beside the tests' own bundle; nil where there is none.
    public static func executable(_ name: String) -> URL? {
        var folder = Bundle.main.executableURL?.deletingLastPathComponent() ?? Bundle.main.bundleURL
        var folders = [Bundle.main.bundleURL]
        while folder.path != "/" {
            folders.append(folder)
            folder.deleteLastPathComponent()
        }
        folders += Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
        return folders.map { $0.appendingPathComponent(name) }
            .first { FileManager.default.isExecutableFile(atPath: $0.path) && !isFolder($0) }
    }

    private static func isFolder(_ url: URL) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
