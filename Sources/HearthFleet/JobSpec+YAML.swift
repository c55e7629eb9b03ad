import Foundation
import HearthPolicy

extension JobSpec {
    /// Reads a spec; relative paths are taken from `folder`.
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
        func limit(_ field: String) throws(ConfigError) -> Double? {
            let value = try fields.double(field, default: 0)
            return value == 0 ? nil : value
        }
        spec.deadlineSeconds = try limit("deadlineSeconds")
        (spec.memoryGibibytes, spec.cpus) = (try limit("memoryGibibytes"), try limit("cpus"))
        spec.onPartition = try fields.choice("onPartition")
        let data = try fields.strings("data", default: [])
        if !data.isEmpty { spec.data = data }
        spec.purpose = try fields.choice("purpose")
        func path(_ field: String) throws(ConfigError) -> String? {
            let path = try fields.string(field, default: "")
            let base = URL(fileURLWithPath: folder, isDirectory: true)
            return path.isEmpty ? nil : URL(fileURLWithPath: path, relativeTo: base).path
        }
        switch kind {
        case .generate:
            spec.model = try path("model")
            (spec.input, spec.output) = (try path("input"), try path("output"))
            spec.sampling.seed = UInt64(max(0, try fields.integer("seed", default: 0)))
            spec.prompt = try fields.optional("prompt")
            if spec.input != nil || spec.output != nil {
                // Requests say the rest.
                spec.context = try fields.integer("context", default: JobSpec.defaultContext)
                break
            }
            spec.isChat = try fields.bool("chat", default: spec.isChat)
            spec.maxTokens = try fields.integer("maxTokens", default: spec.maxTokens)
            spec.sampling.temperature = try fields.double("temperature", default: 0)
            spec.sampling.topK = try fields.integer("topK", default: 0)
            spec.sampling.topP = try fields.double("topP", default: 1)
            spec.sampling.minP = try fields.double("minP", default: 0)
        case .serve:
            spec.model = try path("model")
            spec.context = try fields.integer("context", default: JobSpec.defaultContext)
            spec.listen = try fields.optional("listen")
            spec.modelName = try fields.optional("modelName")
            (spec.apiKeys, spec.tlsCertificate) = (try path("apiKeys"), try path("tlsCertificate"))
            spec.tlsKey = try path("tlsKey")
        case .bench:
            spec.workloads = try fields.strings("workloads", default: [])
            let cases = try fields.strings("cases", default: [])
            if !cases.isEmpty { spec.cases = cases }
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
