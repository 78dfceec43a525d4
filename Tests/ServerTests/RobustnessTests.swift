import Foundation
import Testing
import Text

@testable import Server

/// Clients that leave, stall, and send what nobody should send: they cost nothing lasting.
@Suite struct RobustnessTests {
    private static let endless = #"{"prompt":"Once upon a time","max_tokens":900,"ignore_eos":true,"n":32,"stream":true}"#

    /// Nothing lives in the engine, and nothing is counted as under way.
    private static func isAtRest(_ port: Int) throws -> Bool {
        let model = try TestServer.counters(port)
        let inFlight = try TestServer.call(port, "GET", "/apus/engine").json["in_flight"]?.intValue
        return model["running"]?.intValue == 0 && model["waiting"]?.intValue == 0
            && model["pages"]?["used"]?.intValue == 0 && inFlight == 0
    }

    @Test func aClientThatLeavesFreesItsPages() async throws {
        let server = try await TestServer.start()
        let port = server.port
        for isStream in [true, false] {
            let body = isStream ? Self.endless : Self.endless.replacingOccurrences(of: #","stream":true"#, with: "")
            let (began, rests) = try await TestServer.blocking {
                let connection = try Connection(port: port)
                try connection.send(TestServer.request("POST", "/v1/completions", body))
                if isStream { _ = try connection.head() }
                let began = try TestServer.waits(blocking: { try TestServer.counters(port)["running"]?.intValue ?? 0 > 0 })
                connection.kill()
                return (began, try TestServer.waits(blocking: { try Self.isAtRest(port) }))
            }
            #expect(began && rests)
        }
        let counters = try await server.counters()["counters"]
        #expect((counters?["cancelled"]?.intValue ?? 0) >= 4)
        #expect(await server.stop() == 0)
    }

    @Test func aBodyThatNeverEndsIsGivenUp() async throws {
        let server = try await TestServer.start { settings in
            settings.limits.bodySeconds = 0.3
            settings.limits.idleSeconds = 30
        }
        let port = server.port
        let answer = try await TestServer.blocking {
            let connection = try Connection(port: port)
            try connection.send("POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{\"prompt\":")
            return try connection.readToEnd()
        }
        #expect(answer.hasPrefix("HTTP/1.1 408") && answer.contains("request_timeout"))
        await server.stop()
    }

    @Test func aHeadThatComesByTheByteIsGivenUp() async throws {
        let server = try await TestServer.start { $0.limits.idleSeconds = 0.5 }
        let port = server.port
        let seconds = try await TestServer.blocking {
            let connection = try Connection(port: port)
            let start = ContinuousClock.now
            for byte in Array("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaa".utf8) {
                do { try connection.send([byte]) } catch { break }
                usleep(50_000)
            }
            _ = try? connection.readToEnd()
            return (ContinuousClock.now - start) / .seconds(1)
        }
        #expect(seconds < 6)
        #expect(try await server.get("/health").status == 200)
        await server.stop()
    }

    @Test func tenThousandHeadersAreRefused() async throws {
        let server = try await TestServer.shared.value
        let port = server.port
        let answer = try await TestServer.blocking {
            let connection = try Connection(port: port)
            var text = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            for number in 0..<10_000 { text += "X-\(number): y\r\n" }
            // The server may close before it has read all.
            try? connection.send(text + "\r\n")
            return (try? connection.readToEnd()) ?? ""
        }
        #expect(!answer.hasPrefix("HTTP/1.1 200"))
        #expect(try await server.get("/health").status == 200)
    }

    @Test func aBodyThatIsTooLargeIsRefused() async throws {
        let server = try await TestServer.start { $0.limits.bodyBytes = 1000 }
        let announced = try await server.post("/v1/completions", #"{"prompt":"\#(String(repeating: "x", count: 2000))"}"#)
        #expect(announced.status == 413)
        #expect(announced.error["code"]?.stringValue == "request_too_large")
        #expect(announced.headers["connection"] == "close")
        let port = server.port
        let chunked = try await TestServer.blocking {
            let connection = try Connection(port: port)
            try connection.send("POST /v1/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            // No more than takes it over the limit: what comes after may meet a closed connection.
            for _ in 0..<2 { try connection.send("200\r\n" + String(repeating: "y", count: 512) + "\r\n") }
            return try connection.response()
        }
        #expect(chunked.status == 413)
        await server.stop()
    }

    @Test(arguments: ["\u{0}\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"])
    func garbageIsNoRequest(bytes: String) async throws {
        let server = try await TestServer.shared.value
        let port = server.port
        let answer = try await TestServer.blocking {
            let connection = try Connection(port: port, timeout: 20)
            try connection.send(bytes)
            return (try? connection.readToEnd()) ?? ""
        }
        #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 400") || answer.hasPrefix("HTTP/1.1 505"))
        #expect(try await server.get("/health").status == 200)
    }

    /// A client that asks and never reads holds neither pages nor a connection for ever.
    @Test func aClientThatDoesNotReadIsLetGo() async throws {
        let server = try await TestServer.start { settings in
            settings.limits.writeSeconds = 1
            settings.limits.choices = 64
        }
        let port = server.port
        // More than the system keeps for a client that does not read.
        let body = #"{"prompt":"Once","max_tokens":900,"ignore_eos":true,"n":64,"stream":true,"logprobs":20}"#
        let connection = try await TestServer.blocking {
            let connection = try Connection(port: port)
            connection.shrinkReceiveBuffer()
            try connection.send(TestServer.request("POST", "/v1/completions", body))
            return connection
        }
        let rests = try await TestServer.blocking {
            try TestServer.waits(blocking: { server.log.all.contains { $0.contains("did not read") } })
                && TestServer.waits(blocking: { try Self.isAtRest(port) })
        }
        #expect(rests)
        withExtendedLifetime(connection) {}
        await server.stop()
    }

    @Test func aConnectionIsUsedAgain() async throws {
        let port = try await TestServer.shared.value.port
        let statuses = try await TestServer.blocking {
            let connection = try Connection(port: port)
            return try ["/health", "/v1/models", "/nothing", "/health"].map { path in
                try connection.send(TestServer.request("GET", path, ""))
                return try connection.response().status
            }
        }
        #expect(statuses == [200, 200, 404, 200])
    }

    @Test func asManyRequestsAsThereMayBeAndNoMore() async throws {
        let server = try await TestServer.start { $0.limits.requests = 2 }
        let port = server.port
        let statuses = try await TestServer.blocking {
            let body = #"{"prompt":"Once","max_tokens":200,"ignore_eos":true}"#
            let connections = try (0..<12).map { _ in try Connection(port: port) }
            for connection in connections { try connection.send(TestServer.request("POST", "/v1/completions", body)) }
            return try connections.map { try $0.response() }
        }
        let refused = statuses.filter { $0.status == 503 }
        #expect(statuses.allSatisfy { $0.status == 200 || $0.status == 503 })
        #expect(!refused.isEmpty && refused.count < 12)
        #expect(refused.allSatisfy { $0.error["code"]?.stringValue == "server_overloaded" && $0.headers["retry-after"] != nil })
        let rests = try await TestServer.blocking { try TestServer.waits(blocking: { try Self.isAtRest(port) }) }
        #expect(rests)
        await server.stop()
    }

    /// What clients send stays on its line of the log, and prompts are not in it.
    @Test(arguments: [true, false]) func theLogIsNotTheClients(json: Bool) async throws {
        let server = try await TestServer.start(json: json)
        let port = server.port
        _ = try await TestServer.blocking {
            let connection = try Connection(port: port)
            try connection.send("GET /a%0Aforged HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-ID: a b\u{1B}[31m\r\n\r\n")
            return try connection.response()
        }
        _ = try await server.post("/v1/completions", #"{"prompt":"a very secret text","model":"no\nsuch\u001b[2J"}"#)
        _ = try await server.post("/v1/completions", #"{"prompt":"a very secret text","max_tokens":1,"x\ny":1}"#)
        let lines = server.log.all
        #expect(lines.count >= 5)
        for line in lines {
            #expect(line.hasSuffix("\n") && line.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
            #expect(!line.contains("secret"))
            if json { #expect((try? JSONValue(parsing: Array(line.utf8))) != nil) }
        }
        await server.stop()
    }

    @Test func healthAnswersWhilePromptsAreRead() async throws {
        let server = try await TestServer.start()
        let ids = Array(repeating: 300, count: 1000)
        let work = Task {
            for seed in 0..<6 {
                _ = try await server.post("/v1/completions", #"{"prompt":\#(ids.map { $0 + seed }),"max_tokens":1}"#)
            }
        }
        var answers = 0
        while answers < 20 {
            #expect(try await server.get("/health").status == 200)
            answers += 1
        }
        try await work.value
        await server.stop()
    }
}
