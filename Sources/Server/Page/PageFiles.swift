internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import OpenAI

/// The page's files, read once.
struct PageFiles: Sendable {
    private let files: [String: [UInt8]]

    /// The files beside the executable; nil where there are none.
    static func find() -> PageFiles? {
        let executable = (Bundle.main.executableURL ?? Bundle.main.bundleURL).resolvingSymlinksInPath()
        let beside = executable.deletingLastPathComponent()
        let shared = beside.deletingLastPathComponent().appendingPathComponent("share/apus")
        // Not `Bundle.module`: it ends the process where the bundle is missing.
        let folders = ([beside, shared] + Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() })
            .map { $0.appendingPathComponent("Apus_Server.resources/Resources/page") }
        guard let folder = folders.first(where: { FileManager.default.fileExists(atPath: $0.path + "/index.html") })
        else { return nil }
        var files: [String: [UInt8]] = [:]
        for name in FileManager.default.enumerator(atPath: folder.path)?.compactMap({ $0 as? String }) ?? [] {
            guard let data = FileManager.default.contents(atPath: folder.path + "/" + name) else { continue }
            files[name] = Array(data)
        }
        return PageFiles(files: files)
    }

    private static let types = [
        "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
        "svg": "image/svg+xml", "png": "image/png", "ico": "image/x-icon", "json": "application/json",
        "webmanifest": "application/manifest+json", "woff2": "font/woff2",
    ]

    func response(_ name: String) throws -> Response {
        guard let bytes = files[name] else {
            throw APIError("the page has no file '\(name)'", status: 404, code: "not_found")
        }
        let type = Self.types[String(name.split(separator: ".").last ?? "")] ?? "application/octet-stream"
        return Response(
            status: .ok,
            headers: [
                .contentType: type, .contentLength: String(bytes.count), .cacheControl: "no-cache",
                .referrerPolicy: "no-referrer",
                .securityPolicy: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
                    + "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// `GET /` and the files beside it.
enum PageRoute {
    static func index(_ exchange: Exchange) async throws -> Response { try file("index.html", exchange) }
    static func icon(_ exchange: Exchange) async throws -> Response { try file("apus.svg", exchange) }
    static func file(_ exchange: Exchange) async throws -> Response { try file(exchange.rest, exchange) }

    private static func file(_ name: String, _ exchange: Exchange) throws -> Response {
        guard let page = exchange.service.page else {
            throw APIError("this server has no page", status: 404, code: "not_found")
        }
        return try page.response(name)
    }
}
