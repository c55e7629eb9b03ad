import HearthCompute
import HearthInference
import HearthServe
import Logging

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
        let language = try LanguageModel(
            path: path, device: device, contextLength: loading.context, activations: loading.activations
        ) { share in
            if Terminal.errorIsTerminal { Terminal.progress("loading \(Int(share * 100))%") }
        }
        Terminal.endProgress()
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
