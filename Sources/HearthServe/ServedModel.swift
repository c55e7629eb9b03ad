import HearthCompute
import HearthInference

/// A model under the name that clients ask for, and what its answers can be traced by.
public struct ServedModel: Sendable {
    public let engine: Engine
    public let name: String
    /// Of `Fingerprint`: model, node, device and settings.
    public let fingerprint: String

    var language: LanguageModel { engine.language }

    public init(engine: Engine, name: String? = nil, fingerprint: String) {
        (self.engine, self.fingerprint) = (engine, fingerprint)
        self.name = name ?? engine.language.name
    }

    func check(_ asked: String?) throws {
        guard let asked, asked != name else { return }
        throw APIError(
            .notFound, "the model '\(asked.prefix(100))' is not served here; \(name) is", param: "model",
            code: "model_not_found")
    }

    /// Puts requests in line, all of them or none.
    func submit(_ requests: [EngineRequest]) throws -> [AsyncStream<EngineEvent>] {
        do throws(EngineRejection) {
            return try requests.map { request throws(EngineRejection) in try engine.submit(request) }
        } catch {
            throw APIError(rejection: error)
        }
    }
}
