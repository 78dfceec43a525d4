/// The OpenAI API.
enum OpenAIRoutes: RouteFamily {
    static let routes = [
        Route(.post, "/v1/chat/completions", ChatCompletions.answer),
        Route(.post, "/v1/completions", Completions.answer),
        Route(.post, "/v1/embeddings", Embeddings.answer),
        Route(.get, "/v1/models", ModelList.list),
        Route(.get, "/v1/models/**", ModelList.retrieve),
        Route(.post, "/v1/responses", ResponsesEndpoint.create),
        Route(.get, "/v1/responses/{id}", ResponsesEndpoint.retrieve),
        Route(.delete, "/v1/responses/{id}", ResponsesEndpoint.delete),
        Route(.get, "/v1/responses/{id}/input_items", ResponsesEndpoint.inputItems),
        Route(.post, "/v1/files", FilesEndpoint.create),
        Route(.get, "/v1/files", FilesEndpoint.list),
        Route(.get, "/v1/files/{id}", FilesEndpoint.retrieve),
        Route(.delete, "/v1/files/{id}", FilesEndpoint.delete),
        Route(.get, "/v1/files/{id}/content", FilesEndpoint.content),
        Route(.post, "/v1/batches", BatchesEndpoint.create),
        Route(.get, "/v1/batches", BatchesEndpoint.list),
        Route(.get, "/v1/batches/{id}", BatchesEndpoint.retrieve),
        Route(.post, "/v1/batches/{id}/cancel", BatchesEndpoint.cancel),
    ]
}
