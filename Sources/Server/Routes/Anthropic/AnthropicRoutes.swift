/// The Anthropic API.
enum AnthropicRoutes: RouteFamily {
    static let routes = [
        Route(.post, "/v1/messages", shape: .anthropic, MessagesEndpoint.answer),
        Route(.post, "/v1/messages/count_tokens", shape: .anthropic, MessagesEndpoint.countTokens),
    ]
}
