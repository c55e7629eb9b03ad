import Foundation

extension JobSpec {
    /// Reads a spec; a relative `model` is taken from `folder`.
    ///
    /// - Throws: `ConfigError` with file, line and field: unknown fields, wrong types, missing or impossible values.
    public static func parse(yaml text: String, file: String, folder: String) throws(ConfigError) -> JobSpec {
        var fields = try YAMLFields(text, file: file)
        let kindText = try fields.string("kind")
        guard let kind = Kind(rawValue: kindText) else {
            let known = Kind.allCases.map(\.rawValue).joined(separator: ", ")
            throw fields.error("kind", "'\(kindText)' is no job kind; there are \(known)")
        }
        var spec = JobSpec(kind: kind, name: try fields.string("name", default: kind.rawValue))
        spec.device = try fields.string("device", default: spec.device)
        spec.timeoutSeconds = try fields.double("timeoutSeconds", default: spec.timeoutSeconds)
        switch kind {
        case .generate:
            let model = try fields.string("model")
            spec.model = URL(fileURLWithPath: model, relativeTo: URL(fileURLWithPath: folder, isDirectory: true)).path
            spec.prompt = try fields.string("prompt")
            spec.isChat = try fields.bool("chat", default: spec.isChat)
            spec.maxTokens = try fields.integer("maxTokens", default: spec.maxTokens)
            spec.sampling.temperature = try fields.double("temperature", default: 0)
            spec.sampling.topK = try fields.integer("topK", default: 0)
            spec.sampling.topP = try fields.double("topP", default: 1)
            spec.sampling.minP = try fields.double("minP", default: 0)
            spec.sampling.seed = UInt64(max(0, try fields.integer("seed", default: 0)))
        case .bench: spec.workloads = try fields.strings("workloads", default: [])
        case .probe: break
        }
        try fields.finish()
        if let problem = spec.problem {
            let field = String(problem.prefix { $0 != ":" })
            throw fields.error(field, String(problem.dropFirst(field.count + 2)))
        }
        return spec
    }
}
