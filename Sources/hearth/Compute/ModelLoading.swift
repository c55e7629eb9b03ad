import ArgumentParser
import HearthCompute
import HearthInference
import HearthServe
import Logging

extension LanguageModel {
    /// Reads `path`, with its progress on a terminal.
    ///
    /// - Parameter context: tokens of prompt and answer at most; the model's own when nil.
    static func load(
        _ path: String, on device: Device, context: Int? = nil, activations: Activations = .int8
    ) throws -> LanguageModel {
        let language = try LanguageModel(
            path: path, device: device, contextLength: context, activations: activations
        ) { share in
            if Terminal.errorIsTerminal { Terminal.progress("loading \(Int(share * 100))%") }
        }
        Terminal.endProgress()
        return language
    }
}

extension Engine.Options {
    /// The element type of keys and values that `--cache` names.
    static func cacheType(_ name: String) throws -> DType {
        guard let type = cacheTypes.first(where: { "\($0)" == name }) else {
            throw ValidationError("--cache \(name) is not one of f16, q8_0, f32")
        }
        return type
    }
}

extension ServedModel {
    /// How a model is brought onto a device to be served.
    struct Loading {
        var name: String?
        /// Tokens of prompt and answer at most; the model's own when nil.
        var context: Int?
        var activations = LanguageModel.Activations.int8
        var engine = Engine.Options()
    }

    /// Reads `path`, with its digest beside, starts an engine, and logs what answers can be traced by.
    static func load(_ path: String, on device: Device, _ loading: Loading, _ logger: Logger) async throws
        -> ServedModel
    {
        let engine = loading.engine
        // The digest takes as long as loading: side by side.
        async let tracing = Fingerprint.parts(
            model: path, device: device,
            settings: "cache=\(engine.cache) activations=\(loading.activations) invariant=\(engine.isInvariant)")
        let language = try LanguageModel.load(
            path, on: device, context: loading.context, activations: loading.activations)
        let parts = try await tracing
        let model = ServedModel(
            engine: try Engine(language, engine), name: loading.name, fingerprint: Fingerprint.make(parts))
        logger.info(
            "model is loaded",
            metadata: [
                "model": "\(model.name)", "model_sha256": "\(parts[0])", "host": "\(parts[1])",
                "device": "\(parts[2]) (\(parts[3]))", "settings": "\(parts[4])", "fingerprint": "\(model.fingerprint)",
            ])
        return model
    }
}
