import Foundation
import Text

#if canImport(Glibc)
    import Glibc
#endif

/// A connection as bytes: what well-behaved clients hide is what the tests are about.
final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private var buffer: [UInt8] = []

    init(port: Int, timeout: Int = 300) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw ClientError("no connection: \(String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    /// Ends the connection at once, as a client that is killed does.
    func kill() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Makes the system's buffer for what comes small.
    func shrinkReceiveBuffer() {
        var bytes: Int32 = 1024
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw ClientError("not sent: \(String(cString: strerror(errno)))") }
            sent += count
        }
    }

    /// Whether anything more came; false at the end of the connection.
    private func fill() throws -> Bool {
        var part = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &part, part.count, 0)
        guard count >= 0 else { throw ClientError("nothing received: \(String(cString: strerror(errno)))") }
        buffer += part[..<count]
        return count > 0
    }

    /// Everything until the other side ends the connection.
    func readToEnd() throws -> String {
        while try fill() {}
        defer { buffer = [] }
        return String(decoding: buffer, as: UTF8.self)
    }

    func line() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 0x0A) {
                let line = buffer[..<end]
                buffer.removeFirst(end + 1)
                return String(decoding: line.last == 0x0D ? line.dropLast() : line, as: UTF8.self)
            }
            guard try fill() else { throw ClientError("the connection ended in the middle of a line") }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count < count {
            guard try fill() else { throw ClientError("the connection ended early") }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer[..<count])
    }

    func head() throws -> (status: Int, headers: [String: String]) {
        let first = try line().split(separator: " ")
        guard first.count >= 2, let status = Int(first[1]) else { throw ClientError("no status line") }
        var headers: [String: String] = [:]
        while true {
            let line = try line()
            if line.isEmpty { return (status, headers) }
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
    }

    /// The next part of a chunked body; nil after the last.
    func chunk() throws -> String? {
        guard let count = Int(try line().prefix { $0 != ";" }, radix: 16) else { throw ClientError("no chunk") }
        let bytes = try take(count)
        _ = try line()
        return count == 0 ? nil : String(decoding: bytes, as: UTF8.self)
    }

    func response() throws -> Answer {
        var (status, headers) = try head()
        while status == 100 { (status, headers) = try head() }
        var body = ""
        if headers["transfer-encoding"]?.lowercased() == "chunked" {
            while let part = try chunk() { body += part }
        } else {
            body = String(decoding: try take(Int(headers["content-length"] ?? "0") ?? 0), as: UTF8.self)
        }
        return Answer(status: status, headers: headers, body: body)
    }
}

struct ClientError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    var body: String

    var json: JSONValue { (try? JSONValue(parsing: Array(body.utf8))) ?? .null }
    var error: JSONValue { json["error"] ?? .null }

    /// The data of a stream's events, without the closing `[DONE]`.
    var events: [JSONValue] {
        body.components(separatedBy: "\n").filter { $0.hasPrefix("data: ") && $0 != "data: [DONE]" }
            .map { (try? JSONValue(parsing: Array($0.dropFirst(6).utf8))) ?? .null }
    }
}

extension TestServer {
    /// One request on a connection of its own.
    func send(
        _ method: String, _ path: String, _ body: String = "", headers: [String: String] = [:]
    ) async throws -> Answer {
        let port = port
        return try await Self.blocking { try Self.call(port, method, path, body, headers: headers) }
    }

    /// The same on a thread that may block.
    static func call(
        _ port: Int, _ method: String, _ path: String, _ body: String = "", headers: [String: String] = [:]
    ) throws -> Answer {
        let connection = try Connection(port: port)
        try connection.send(request(method, path, body, headers))
        return try connection.response()
    }

    static func request(_ method: String, _ path: String, _ body: String, _ headers: [String: String] = [:]) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\n"
        var all = ["Host": "127.0.0.1", "Content-Length": "\(body.utf8.count)"]
        for (name, value) in headers { all[name] = value }
        for (name, value) in all.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
        return text + "\r\n" + body
    }

    func post(_ path: String, _ body: String, headers: [String: String] = [:]) async throws -> Answer {
        try await send("POST", path, body, headers: headers)
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> Answer {
        try await send("GET", path, headers: headers)
    }

    /// Blocking work beside the threads that the server needs.
    static func blocking<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
        }
    }
}
