internal import HTTPTypes
internal import Hummingbird
internal import OpenAI

/// Decides whether a request may come in, and whose it is.
struct Access: Sendable {
    let service: Service

    /// - Parameter isOpen: whether what is asked for is anybody's.
    /// - Throws: ``APIError`` 401 without a right key, 403 for a page of another origin, 429 above a key's rate.
    func admit(_ request: Request, isOpen: Bool) throws -> Caller {
        if isOpen { return .anonymous }
        guard let keys = service.keys else {
            try refuseForeignPages(request)
            return .anonymous
        }
        switch keys.reloadIfChanged() {
        case nil: break
        case "": service.log.info("the key file has changed and was read again")
        case let failure?: service.log.error("the key file has changed and cannot be used: \(failure)")
        }
        guard let key = Self.key(of: request) else {
            throw APIError(
                "no API key was given; send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'", status: 401,
                type: "authentication_error", code: "missing_api_key")
        }
        guard let caller = keys.caller(of: key) else {
            throw APIError(
                "the API key is not one of this server's", status: 401, type: "authentication_error",
                code: "invalid_api_key")
        }
        if let rate = caller.ratePerMinute ?? service.settings.limits.ratePerMinute,
            let wait = service.rates.take(caller.owner, ratePerMinute: rate)
        {
            throw Busy(
                "more than \(rate.formatted) requests a minute came with this key; wait \(Int(wait.rounded(.up))) seconds",
                status: 429, type: "rate_limit_error", code: "rate_limit_exceeded", retryAfter: wait)
        }
        return caller
    }

    private static func key(of request: Request) -> String? {
        if let value = request.headers[.authorization] {
            let parts = value.split(separator: " ", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "bearer" { return String(parts[1]) }
        }
        return request.headers[.apiKey]
    }

    /// Without keys, whoever can reach the address may call; a page in a browser on this machine must not do so on behalf of
    /// somebody elsewhere: neither under a name that was made to point here, nor from another origin.
    private func refuseForeignPages(_ request: Request) throws {
        let settings = service.settings
        let authority = request.head.authority ?? ""
        let host = Self.host(of: authority)
        let isKnown =
            ["localhost", "127.0.0.1", "::1", ""].contains(host) || host == settings.host.lowercased()
            || settings.hostNames.contains { $0.lowercased() == host } || settings.allowsUnauthenticated
        guard isKnown else {
            throw APIError(
                "this server asks for no key and is not known as '\(host)'; name it with --host-name, or use keys",
                status: 403, type: "permission_error", code: "unknown_host")
        }
        guard let origin = request.headers[.origin], !settings.origins.contains("*"),
            !settings.origins.contains(origin)
        else { return }
        let plain = origin.split(separator: "//", maxSplits: 1).last.map(String.init) ?? origin
        guard plain.lowercased() == authority.lowercased() else {
            throw APIError(
                "pages of '\(origin)' may not call this server; allow them with --cors", status: 403,
                type: "permission_error", code: "foreign_origin")
        }
    }

    /// The name in `name:port` or `[address]:port`, lowercased.
    static func host(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return authority[authority.index(after: authority.startIndex)..<end].lowercased()
        }
        return (authority.split(separator: ":").first.map(String.init) ?? authority).lowercased()
    }
}

/// A refusal that will not last.
struct Busy: Error {
    let error: APIError
    /// Seconds after which to try again.
    let retryAfter: Double

    init(_ message: String, status: Int, type: String, code: String, retryAfter: Double) {
        error = APIError(message, status: status, type: type, code: code)
        self.retryAfter = retryAfter
    }
}

extension Double {
    /// Without a fraction that says nothing.
    var formatted: String { self == rounded() ? String(Int(self)) : String(self) }
}
