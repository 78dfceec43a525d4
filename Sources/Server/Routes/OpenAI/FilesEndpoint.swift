internal import Foundation
internal import Hummingbird
internal import NIOCore
internal import OpenAI
internal import Text

/// `/v1/files`.
enum FilesEndpoint {
    static func create(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        let upload = state.uploadPath()
        defer { try? FileManager.default.removeItem(atPath: upload) }
        guard let boundary = MultipartForm.boundary(exchange.request.headers[.contentType] ?? "") else {
            throw APIError(
                "send multipart/form-data with the fields file and purpose", parameter: "file", code: "invalid_value")
        }
        try await receive(exchange, to: upload)
        let part = state.uploadPath()
        defer { try? FileManager.default.removeItem(atPath: part) }
        let form = try await Blocking.run { try MultipartForm(path: upload, boundary: boundary, file: part) }
        guard let purpose = form.fields["purpose"] else {
            throw APIError("the form has no purpose; give batch", parameter: "purpose", code: "invalid_value")
        }
        guard ["batch", "user_data", "assistants", "evals", "fine-tune"].contains(purpose) else {
            throw APIError(
                "the purpose '\(purpose)' is not known; give batch", parameter: "purpose", code: "invalid_value")
        }
        guard let name = form.fileName else {
            throw APIError("the form has no file", parameter: "file", code: "invalid_value")
        }
        let file = try await state.addFile(at: part, name: name, purpose: purpose, owner: exchange.caller.owner)
        return .json(file.object)
    }

    /// Writes a body to a file as it comes.
    private static func receive(_ exchange: Exchange, to path: String) async throws {
        let limit = exchange.service.settings.limits.fileBytes + 65_536
        let announced = exchange.request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard announced <= limit else { throw RequestFailure.tooLarge(announced, limit) }
        guard FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600]),
            let file = FileHandle(forWritingAtPath: path)
        else { throw APIError("the server cannot keep the file", status: 500, type: "server_error") }
        defer { try? file.close() }
        let start = ContinuousClock.now
        var bytes = 0
        for try await part in exchange.request.body {
            bytes += part.readableBytes
            guard bytes <= limit else { throw RequestFailure.tooLarge(nil, limit) }
            let seconds = exchange.service.settings.limits.bodySeconds + Double(bytes) / 65_536
            guard ContinuousClock.now - start < .seconds(seconds) else { throw RequestFailure.tooSlow(seconds) }
            do { try file.write(contentsOf: Data(part.readableBytesView)) } catch {
                throw APIError(
                    "the server has no room for the file", status: 507, type: "server_error", code: "storage_full")
            }
        }
    }

    static func list(_ exchange: Exchange) async throws -> Response {
        let files = try await exchange.service.requireState()
            .files(owner: exchange.caller.owner, purpose: exchange.query("purpose"))
        return .json(Page.object(files, exchange, id: \.id) { $0.object })
    }

    static func retrieve(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        return .json(try await state.file(try exchange.parameter("id"), owner: exchange.caller.owner).object)
    }

    static func delete(_ exchange: Exchange) async throws -> Response {
        let id = try exchange.parameter("id")
        try await exchange.service.requireState().deleteFile(id, owner: exchange.caller.owner)
        return .json(.members(["id": .string(id), "object": .string("file"), "deleted": .bool(true)]))
    }

    static func content(_ exchange: Exchange) async throws -> Response {
        let state = try exchange.service.requireState()
        let file = try await state.file(try exchange.parameter("id"), owner: exchange.caller.owner)
        guard let handle = FileHandle(forReadingAtPath: state.path(ofFile: file.id)) else {
            throw APIError("the file's bytes are gone", status: 500, type: "server_error")
        }
        let source = FileSource(handle)
        return Response(
            status: .ok,
            headers: [.contentType: "application/octet-stream", .contentLength: String(file.bytes)],
            body: .init(contentLength: file.bytes) { writer in
                while let part = try source.next() { try await writer.write(part) }
                try await writer.finish(nil)
            })
    }

    /// A file's bytes, part by part. One response reads it.
    private final class FileSource: @unchecked Sendable {
        private let handle: FileHandle
        init(_ handle: FileHandle) { self.handle = handle }
        deinit { try? handle.close() }

        func next() throws -> ByteBuffer? {
            guard let data = try handle.read(upToCount: 1 << 16), !data.isEmpty else { return nil }
            return ByteBuffer(bytes: data)
        }
    }
}
