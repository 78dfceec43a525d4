internal import HTTPTypes
internal import Hummingbird

/// One endpoint: a method, a path, and what answers.
struct Route: Sendable {
    let method: HTTPRequest.Method
    /// As the router writes it: `{name}` for a part, `**` for all that follows.
    let path: String
    /// How its errors look.
    let shape: ErrorShape
    /// Whether it answers without a key.
    let isOpen: Bool
    let answer: @Sendable (Exchange) async throws -> Response

    init(
        _ method: HTTPRequest.Method, _ path: String, shape: ErrorShape = .openAI, isOpen: Bool = false,
        _ answer: @escaping @Sendable (Exchange) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.shape = shape
        self.isOpen = isOpen
        self.answer = answer
    }
}

/// The endpoints of one API.
protocol RouteFamily: SendableMetatype {
    static var routes: [Route] { get }
}

/// All APIs that the server speaks. Another one is a line here.
enum RouteRegistry {
    static let families: [any RouteFamily.Type] = [
        OpenAIRoutes.self,
        AnthropicRoutes.self,
        TextRoutes.self,
        OperationRoutes.self,
    ]

    static var routes: [Route] { families.flatMap { $0.routes } }
}
