import Foundation
import Testing
import Text

@testable import Server

/// Files, batches and responses, across restarts.
@Suite struct StateTests {
    private static func folder() -> String {
        FileManager.default.temporaryDirectory.path + "/apus-state-\(UUID().uuidString)"
    }

    private static func upload(
        _ server: TestServer, _ content: String, purpose: String = "batch", headers: [String: String] = [:]
    ) async throws -> Answer {
        let form = "--cut\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n\(purpose)\r\n"
            + "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a/in.jsonl\"\r\n"
            + "Content-Type: application/octet-stream\r\n\r\n\(content)\r\n--cut--\r\n"
        var all = headers
        all["Content-Type"] = "multipart/form-data; boundary=cut"
        return try await server.post("/v1/files", form, headers: all)
    }

    private static func line(_ id: String, _ body: String, url: String = "/v1/completions") -> String {
        #"{"custom_id":"\#(id)","method":"POST","url":"\#(url)","body":\#(body)}"#
    }

    private static func create(_ server: TestServer, _ file: String) async throws -> Answer {
        try await server.post(
            "/v1/batches", #"{"input_file_id":"\#(file)","endpoint":"/v1/completions","completion_window":"24h"}"#)
    }

    private static func ended(_ server: TestServer, _ id: String) async throws -> JSONValue {
        _ = try await TestServer.waits(60) {
            let status = try await server.get("/v1/batches/\(id)").json["status"]?.stringValue ?? ""
            return ["completed", "failed", "cancelled"].contains(status)
        }
        return try await server.get("/v1/batches/\(id)").json
    }

    @Test func filesAreKeptAsTheyCame() async throws {
        let folder = Self.folder()
        let server = try await TestServer.start { $0.stateFolder = folder }
        let content = "line one\r\n--cu\r\n--cut-not\r\n\u{1F600}\nend"
        let file = try await Self.upload(server, content)
        #expect(file.status == 200)
        #expect(file.json["filename"]?.stringValue == "in.jsonl")
        #expect(file.json["bytes"]?.intValue == content.utf8.count)
        let id = try #require(file.json["id"]?.stringValue)
        #expect(try await server.get("/v1/files/\(id)/content").body == content)
        #expect(try await server.get("/v1/files").json["data"]?.arrayValue?.count == 1)
        await server.stop()
        let again = try await TestServer.start { $0.stateFolder = folder }
        #expect(try await again.get("/v1/files/\(id)/content").body == content)
        #expect(try await again.send("DELETE", "/v1/files/\(id)").json["deleted"]?.boolValue == true)
        #expect(try await again.get("/v1/files/\(id)").status == 404)
        await again.stop()
    }

    @Test func twoServersDoNotShareAFolder() async throws {
        let folder = Self.folder()
        let server = try await TestServer.start { $0.stateFolder = folder }
        let refusal = await #expect(throws: ClientError.self) { try await TestServer.start { $0.stateFolder = folder } }
        #expect(refusal?.description.contains("another server uses") == true)
        await server.stop()
    }

    @Test func aBatchIsAnsweredAsItsRequestsAre() async throws {
        let server = try await TestServer.start { $0.stateFolder = Self.folder() }
        let bodies = (0..<12).map { #"{"prompt":"The story of number \#($0)","max_tokens":12,"temperature":1,"seed":\#($0)}"# }
        var lines = bodies.enumerated().map { Self.line("r\($0)", $1) }
        lines.append(Self.line("bad", #"{"prompt":"x","temperature":-4}"#))
        let file = try await Self.upload(server, lines.joined(separator: "\n"))
        let batch = try await Self.create(server, file.json["id"]!.stringValue!)
        #expect(batch.status == 200 && batch.json["status"]?.stringValue == "validating")
        let end = try await Self.ended(server, batch.json["id"]!.stringValue!)
        #expect(end["status"]?.stringValue == "completed")
        #expect(end["request_counts"]?["completed"]?.intValue == 12)
        #expect(end["request_counts"]?["failed"]?.intValue == 1)
        let output = try await server.get("/v1/files/\(end["output_file_id"]!.stringValue!)/content").body
        for record in output.split(separator: "\n") {
            let value = try JSONValue(parsing: Array(record.utf8))
            let number = Int(value["custom_id"]!.stringValue!.dropFirst())!
            let direct = try await server.post("/v1/completions", bodies[number]).json
            let text = value["response"]?["body"]?["choices"]?.arrayValue?[0]["text"]?.stringValue
            #expect(text != nil && text == direct["choices"]?.arrayValue?[0]["text"]?.stringValue)
        }
        #expect(output.split(separator: "\n").count == 12)
        let errors = try await server.get("/v1/files/\(end["error_file_id"]!.stringValue!)/content").body
        #expect(errors.contains(#""custom_id":"bad""#) && errors.contains("temperature"))
        await server.stop()
    }

    @Test func aBatchGoesOnAfterARestart() async throws {
        let folder = Self.folder()
        let server = try await TestServer.start { $0.stateFolder = folder }
        let lines = (0..<80).map {
            Self.line("r\($0)", #"{"prompt":"Chapter \#($0)","max_tokens":60,"ignore_eos":true,"temperature":0}"#)
        }
        let file = try await Self.upload(server, lines.joined(separator: "\n"))
        let id = try await Self.create(server, file.json["id"]!.stringValue!).json["id"]!.stringValue!
        #expect(try await TestServer.waits(60) {
            try await server.get("/v1/batches/\(id)").json["request_counts"]?["completed"]?.intValue ?? 0 > 0
        })
        await server.stop()
        let again = try await TestServer.start { $0.stateFolder = folder }
        let end = try await Self.ended(again, id)
        #expect(end["status"]?.stringValue == "completed")
        #expect(end["request_counts"]?["completed"]?.intValue == 80)
        let output = try await again.get("/v1/files/\(end["output_file_id"]!.stringValue!)/content").body
        let ids = output.split(separator: "\n").compactMap { (try? JSONValue(parsing: Array($0.utf8)))?["custom_id"]?.stringValue }
        #expect(ids.count == 80 && Set(ids).count == 80)
        await again.stop()
    }

    @Test func aBatchThatIsCancelledKeepsWhatItHas() async throws {
        let server = try await TestServer.start { $0.stateFolder = Self.folder() }
        let lines = (0..<300).map {
            Self.line("r\($0)", #"{"prompt":"Chapter \#($0)","max_tokens":300,"ignore_eos":true}"#)
        }
        let file = try await Self.upload(server, lines.joined(separator: "\n"))
        let id = try await Self.create(server, file.json["id"]!.stringValue!).json["id"]!.stringValue!
        let port = server.port
        let status = try await TestServer.blocking {
            _ = try TestServer.waits(blocking: {
                try TestServer.call(port, "GET", "/v1/batches/\(id)").json["status"]?.stringValue == "in_progress"
            })
            return try TestServer.call(port, "POST", "/v1/batches/\(id)/cancel").json["status"]?.stringValue
        }
        #expect(status == "cancelling")
        let end = try await Self.ended(server, id)
        #expect(end["status"]?.stringValue == "cancelled")
        #expect(try await server.post("/v1/batches/\(id)/cancel", "").status == 409)
        await server.stop()
    }

    @Test(arguments: [
        ("not json", "invalid_json_line"),
        (#"{"method":"POST","url":"/v1/completions","body":{}}"#, "missing_required_parameter"),
        (line("a", "{}", url: "/v1/embeddings"), "mismatched_endpoint"),
        (line("a", #"{"model":"none"}"#), "model_not_found"),
        (line("a", "{}") + "\n" + line("a", "{}"), "duplicate_custom_id"),
        ("\n \n", "empty_file"),
    ]) func aFileThatIsNoBatchFails(content: String, code: String) async throws {
        let server = try await Self.shared.value
        let file = try await Self.upload(server, content)
        let id = try await Self.create(server, file.json["id"]!.stringValue!).json["id"]!.stringValue!
        let end = try await Self.ended(server, id)
        #expect(end["status"]?.stringValue == "failed")
        #expect(end["errors"]?["data"]?.arrayValue?.contains { $0["code"]?.stringValue == code } == true)
    }

    private static let shared = Task { try await TestServer.start { $0.stateFolder = folder() } }

    /// What one key keeps another does not see.
    @Test func ownersSeeTheirOwn() async throws {
        let keys = FileManager.default.temporaryDirectory.path + "/apus-keys-\(UUID().uuidString)"
        try "sk-alices-key name=alice\nsk-bobs-key name=bob\n".write(toFile: keys, atomically: true, encoding: .utf8)
        let server = try await TestServer.start { settings in
            settings.stateFolder = Self.folder()
            settings.keyFile = keys
        }
        let (alice, bob) = (["x-api-key": "sk-alices-key"], ["x-api-key": "sk-bobs-key"])
        let file = try await Self.upload(server, "content", headers: alice)
        let id = try #require(file.json["id"]?.stringValue)
        #expect(try await server.get("/v1/files/\(id)", headers: alice).status == 200)
        #expect(try await server.get("/v1/files/\(id)", headers: bob).status == 404)
        #expect(try await server.get("/v1/files/\(id)/content", headers: bob).status == 404)
        #expect(try await server.send("DELETE", "/v1/files/\(id)", headers: bob).status == 404)
        #expect(try await server.get("/v1/files", headers: bob).json["data"]?.arrayValue?.isEmpty == true)
        await server.stop()
    }

    @Test func whereNothingIsKeptThatIsSaid() async throws {
        let server = try await TestServer.shared.value
        #expect(try await server.get("/v1/files").status == 501)
        #expect(try await server.get("/v1/batches").error["code"]?.stringValue == "no_state")
    }

    /// A form cut anywhere, or with a byte changed, is read or refused, never worse.
    @Test func brokenForms() throws {
        let whole = Array(
            ("--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--b\r\nContent-Disposition: form-data; "
                + "name=\"file\"; filename=\"x\"\r\n\r\nabc\r\n--b--\r\n").utf8)
        let folder = Self.folder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let (path, out) = (folder + "/form", folder + "/file")
        func read(_ bytes: [UInt8]) throws -> MultipartForm {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
            return try MultipartForm(path: path, boundary: "b", file: out)
        }
        let form = try read(whole)
        #expect(form.fields == ["purpose": "batch"] && form.fileName == "x")
        #expect(try String(contentsOfFile: out, encoding: .utf8) == "abc")
        // Cut before the closing mark.
        for length in 0..<whole.count - 4 { #expect(throws: (any Error).self) { try read(Array(whole[..<length])) } }
        for place in whole.indices {
            var changed = whole
            changed[place] = changed[place] &+ 1
            _ = try? read(changed)
        }
    }
}
