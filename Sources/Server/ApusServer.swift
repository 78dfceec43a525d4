internal import Apus
internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
public import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ServiceLifecycle

/// A server of models over HTTP.
public struct ApusServer: Sendable {
    private let settings: ServerSettings
    private let service: Service
    private let log: Logger

    /// Checks the settings and opens what they name.
    ///
    /// - Throws: ``ServerError`` where something cannot be used.
    public init(_ settings: ServerSettings, log: Logger) throws {
        self.settings = settings
        self.log = log
        let names = settings.models.map(\.name)
        if let twin = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ServerError("two models are called '\(twin)'; write --model NAME=PATH to give each a name of its own")
        }
        guard settings.keyFile != nil || settings.allowsUnauthenticated || Self.isLoopback(settings.host) else {
            throw ServerError(
                "\(settings.host) can be reached from elsewhere and no key is asked for; give --api-key-file FILE, listen on "
                    + "127.0.0.1, or say --allow-unauthenticated")
        }
        for model in settings.models {
            do { _ = try ModelFiles(model.path).shape() } catch { throw ServerError(String(describing: error)) }
        }
        service = try Service(settings, log: log)
    }

    /// Reads the key file again.
    ///
    /// - Throws: ``ServerError`` where it cannot be used; the keys stay as they are.
    public func reloadKeys() throws(ServerError) {
        try service.keys?.reload()
        if service.keys != nil { log.info("the key file was read again") }
    }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host == "[::1]" || (host.hasPrefix("127.") && host.split(separator: ".").count == 4)
    }

    /// Runs until the process is asked to end (SIGTERM, SIGINT): then answers under way may finish, and no new ones begin.
    ///
    /// - Parameter ready: is told the port once the server listens and its first model is loaded.
    public func run(
        signals: Bool = true, ready: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws {
        let routes = RouteRegistry.routes
        let router = Router(context: ApusContext.self, options: [.autoGenerateHeadEndpoints])
        let access = Access(service: service)
        router.add(middleware: FrontDoor(service: service, routes: routes, access: access))
        let service = service
        for route in routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                var context = context
                context.caller = try access.admit(request, isOpen: route.isOpen)
                if let name = context.caller.name { context.notes.add("key", name) }
                return try await route.answer(Exchange(request: request, context: context, service: service))
            }
        }
        let limits = settings.limits
        let first = FirstModel(service: service, ready: ready)
        var services: [any ServiceLifecycle.Service] = [EngineHistory(service: service), first]
        if let state = service.state {
            let desk = BatchDesk(service, state)
            service.desk = desk
            services.append(desk)
        }
        if let tracer = service.tracer { services.append(tracer) }
        let scheme = settings.tls == nil ? "http" : "https"
        let (host, log) = (settings.host, log)
        let application = Application(
            router: router, server: try serverBuilder(),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: "apus",
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: Logger(label: "connections") { _ in SwiftLogNoOpLogHandler() })),
            services: services,
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                log.info("listening", metadata: ["url": "\(scheme)://\(host):\(port)"])
                first.port.yield(port)
            },
            logger: quiet(log))
        var configuration = ServiceGroupConfiguration(
            // Asked to end from the last to the first.
            services: [application, DrainSignal(gate: service.gate, log: log)],
            gracefulShutdownSignals: signals ? [.sigterm, .sigint] : [], logger: quiet(log))
        configuration.maximumGracefulShutdownDuration = Duration.seconds(limits.drainSeconds)
        // No limit to what comes after that: the library ends the process with a trap where one is passed, and a machine can stand still.
        let group = ServiceGroup(configuration: configuration)
        do {
            try await group.run()
        } catch let error as IOError {
            throw ServerError("\(settings.host):\(settings.port) cannot be listened on: \(error)")
        }
    }

    /// The libraries' own words only where they matter.
    private func quiet(_ log: Logger) -> Logger {
        var log = log
        log.logLevel = max(log.logLevel, .warning)
        return log
    }

    private func serverBuilder() throws -> HTTPServerBuilder {
        let limits = settings.limits
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionWatch()], idleTimeout: .milliseconds(Int64(limits.idleSeconds * 1000)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                maxHeaderFieldCount: limits.headers))
        guard let tls = settings.tls else { return .http1(configuration: channel) }
        do {
            let certificates = try NIOSSLCertificate.fromPEMFile(tls.certificates).map { NIOSSLCertificateSource.certificate($0) }
            let key = try NIOSSLPrivateKey(file: tls.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(certificateChain: certificates, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return try .tls(.http1(configuration: channel), tlsConfiguration: configuration)
        } catch {
            throw ServerError("the TLS certificate '\(tls.certificates)' with the key '\(tls.key)' cannot be used: \(error)")
        }
    }
}

/// Tells the gate as soon as the server is asked to end.
private struct DrainSignal: ServiceLifecycle.Service {
    let gate: Gate
    let log: Logger

    func run() async throws {
        await withGracefulShutdownHandler {
            try? await gracefulShutdown()
        } onGracefulShutdown: {
            log.info("asked to end; answers under way may finish", metadata: ["in_flight": "\(gate.inside)"])
            gate.drain()
        }
    }
}

/// Loads the first model while the server already tells that it lives. Where that cannot be loaded there is no server.
private struct FirstModel: ServiceLifecycle.Service {
    let service: Service
    let ready: @Sendable (Int) -> Void
    let port: AsyncStream<Int>.Continuation
    private let ports: AsyncStream<Int>

    init(service: Service, ready: @escaping @Sendable (Int) -> Void) {
        self.service = service
        self.ready = ready
        (ports, port) = AsyncStream<Int>.makeStream()
    }

    func run() async throws {
        do { _ = try await service.pool.lease(nil) } catch { throw ServerError(String(describing: error)) }
        await cancelWhenGracefulShutdown {
            for await port in ports {
                service.log.info("ready", metadata: ["model": "\(service.pool.names[0].name)"])
                ready(port)
            }
        }
        try? await gracefulShutdown()
    }
}

/// Keeps what each engine says, once a second.
private struct EngineHistory: ServiceLifecycle.Service {
    let service: Service

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let time = Date().timeIntervalSince1970
                for model in await service.pool.present { model.latencies.note(model.engine.statistics, time: time) }
            }
        }
    }
}
