import Foundation
import Logging
import Testing
import Text

@testable import Server

/// Who may call.
@Suite struct AccessTests {
    private static func keyFile(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.path + "/apus-keys-\(UUID().uuidString)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    /// Every route there is asks for a key, unless it is one of the few that are listed here.
    @Test func everyRouteAsksForAKey() async throws {
        let path = try Self.keyFile("# ours\nsk-right-key name=alice\nsk-other-key name=bob rate=2\n")
        let server = try await TestServer.start { $0.keyFile = path }
        let open = ["/health", "/ready", "/", "/page/**", "/favicon.ico"]
        for route in RouteRegistry.routes {
            let url = route.path.replacingOccurrences(of: "{id}", with: "x").replacingOccurrences(of: "**", with: "x")
            let answer = try await server.send(route.method.rawValue, url)
            #expect((answer.status != 401) == open.contains(route.path), "\(route.path): \(answer.status)")
        }
        #expect(try await server.get("/nothing").status == 401)
        #expect(try await server.send("PATCH", "/v1/models").status == 401)
        #expect(try await server.get("/v1/models", headers: ["Authorization": "Bearer sk-right-key"]).status == 200)
        #expect(try await server.get("/v1/models", headers: ["x-api-key": "sk-right-key"]).status == 200)
        for wrong in ["sk-right-kez", "sk-right-ke", "sk-right-key2", "", "sk-right-keysk-right-key"] {
            #expect(try await server.get("/v1/models", headers: ["Authorization": "Bearer \(wrong)"]).status == 401)
        }
        let refused = try await server.get("/v1/models")
        #expect(refused.headers["www-authenticate"] == "Bearer")
        let anthropic = try await server.post("/v1/messages", "{}")
        #expect(anthropic.status == 401)
        #expect(anthropic.json["error"]?["type"]?.stringValue == "authentication_error")
        #expect(anthropic.json["type"]?.stringValue == "error")
        await server.stop()
    }

    @Test func keysHaveRates() async throws {
        let path = try Self.keyFile("sk-slow-key name=bob rate=0.01\nsk-fast-key\n")
        let server = try await TestServer.start { $0.keyFile = path }
        var statuses: [Int] = []
        for _ in 0..<4 {
            statuses.append(try await server.get("/v1/models", headers: ["Authorization": "Bearer sk-slow-key"]).status)
        }
        #expect(statuses == [200, 429, 429, 429])
        let busy = try await server.get("/v1/models", headers: ["Authorization": "Bearer sk-slow-key"])
        #expect(Int(busy.headers["retry-after"] ?? "") ?? 0 > 1)
        #expect(busy.error["code"]?.stringValue == "rate_limit_exceeded")
        #expect(try await server.get("/v1/models", headers: ["Authorization": "Bearer sk-fast-key"]).status == 200)
        await server.stop()
    }

    @Test func theKeyFileIsReadAgain() async throws {
        let path = try Self.keyFile("sk-first-key\n")
        let ring = try KeyRing(path: path)
        #expect(ring.caller(of: "sk-first-key") != nil)
        try "sk-second-key\n".write(toFile: path, atomically: true, encoding: .utf8)
        try ring.reload()
        #expect(ring.caller(of: "sk-first-key") == nil)
        #expect(ring.caller(of: "sk-second-key")?.name == "key-1")
        try "".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ServerError.self) { try ring.reload() }
        #expect(ring.caller(of: "sk-second-key") != nil)
        #expect(throws: ServerError.self) { try KeyRing(path: "/nowhere/keys") }
        try "short\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ServerError.self) { try KeyRing(path: path) }
        try "sk-long-enough color=red\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: ServerError.self) { try KeyRing(path: path) }
    }

    @Test func aPublicAddressNeedsKeys() {
        for host in ["0.0.0.0", "::", "192.168.1.7", "example.org"] {
            #expect(throws: ServerError.self, "\(host)") {
                try ApusServer(TestServer.settings { $0.host = host }, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            }
        }
        #expect(throws: Never.self) {
            try ApusServer(
                TestServer.settings {
                    $0.host = "0.0.0.0"
                    $0.allowsUnauthenticated = true
                }, log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        }
    }

    /// Without keys a page of another origin, or a name made to point here, gets nothing.
    @Test func withoutKeysForeignPagesAreRefused() async throws {
        let server = try await TestServer.shared.value
        #expect(try await server.get("/v1/models", headers: ["Origin": "https://evil.example"]).status == 403)
        #expect(try await server.get("/v1/models", headers: ["Host": "evil.example"]).status == 403)
        #expect(try await server.get("/v1/models", headers: ["Origin": "http://127.0.0.1"]).status == 200)
        #expect(try await server.get("/v1/models", headers: ["Host": "localhost:8080"]).status == 200)
    }

    @Test func originsThatAreAllowedAreTold() async throws {
        let server = try await TestServer.start { $0.origins = ["https://good.example"] }
        let good = try await server.get("/v1/models", headers: ["Origin": "https://good.example"])
        #expect(good.status == 200)
        #expect(good.headers["access-control-allow-origin"] == "https://good.example")
        let other = try await server.get("/v1/models", headers: ["Origin": "https://other.example"])
        #expect(other.status == 403 && other.headers["access-control-allow-origin"] == nil)
        let asked = try await server.send(
            "OPTIONS", "/v1/chat/completions",
            headers: ["Origin": "https://good.example", "Access-Control-Request-Headers": "authorization"])
        #expect(asked.status == 204)
        #expect(asked.headers["access-control-allow-headers"] == "authorization")
        await server.stop()
    }

    @Test func requestsKeepTheirNames() async throws {
        let server = try await TestServer.shared.value
        #expect(try await server.get("/health", headers: ["X-Request-ID": "my-id.7"]).headers["x-request-id"] == "my-id.7")
        let other = try await server.get("/health", headers: ["X-Request-ID": "a b;c"]).headers["x-request-id"]
        #expect(other?.hasPrefix("req_") == true)
    }

    @Test func aPageIsServedWithAPolicy() async throws {
        let server = try await TestServer.shared.value
        let page = try await server.get("/")
        #expect(page.status == 200)
        #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(page.headers["x-content-type-options"] == "nosniff")
        for path in ["/page/../Package.swift", "/page/%2e%2e/x", "/page/nothing.js"] {
            #expect(try await server.get(path).status == 404)
        }
    }
}
