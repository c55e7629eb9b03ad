import HearthCompute
import HearthInference

/// A model under the name that clients ask for, and what its answers can be traced by.
public struct ServedModel: Sendable {
    public let engine: Engine
    public let name: String
    /// Of `Fingerprint`: model, node, device and settings.
    public let fingerprint: String
    /// The model's SHA-256.
    public let digest: String
    /// What is still being written for the next run; the server ends it, and waits for its end.
    public var keeping: Task<Void, Never>?

    var language: LanguageModel { engine.language }

    public init(engine: Engine, name: String? = nil, fingerprint: String, digest: String) {
        (self.engine, self.fingerprint, self.digest) = (engine, fingerprint, digest)
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
        let share = engine.options.queueShare(of: requests.first?.client ?? "")
        guard requests.count <= share else {
            throw APIError(
                .badRequest, "asks for \(requests.count) answers at once; this server lets a client wait for \(share)")
        }
        do throws(EngineRejection) {
            return try requests.map { request throws(EngineRejection) in try engine.submit(request) }
        } catch {
            throw APIError(rejection: error)
        }
    }
}
