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
        _ path: String, on device: Device, context: Int? = nil, activations: Activations = .int8,
        packedCache: PackedCache? = nil
    ) throws -> LanguageModel {
        let language = try LanguageModel(
            path: path, device: device, contextLength: context, activations: activations, packedCache: packedCache
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
        /// Folder where packed weights are kept between runs.
        var packedFolder: String?
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
        let cache = packedCache(path, device, loading, logger)
        func load(_ cache: PackedCache?) throws -> LanguageModel {
            try .load(
                path, on: device, context: loading.context, activations: loading.activations, packedCache: cache)
        }
        var language = try load(cache)
        let parts = try await tracing
        if let digest = language.packedDigest, digest != parts[0] {
            // The file was changed and its times were set back.
            logger.warning("packed weights are of another model: packing anew", metadata: ["model_sha256": "\(digest)"])
            cache?.remove()
            language = try load(nil)
        }
        var model = ServedModel(
            engine: try Engine(language, engine), name: loading.name, fingerprint: Fingerprint.make(parts),
            digest: parts[0])
        logger.info(
            "model is loaded",
            metadata: [
                "model": "\(model.name)", "model_sha256": "\(parts[0])", "host": "\(parts[1])",
                "device": "\(parts[2]) (\(parts[3]))", "settings": "\(parts[4])", "fingerprint": "\(model.fingerprint)",
            ])
        if let cache, language.hasPacked {
            model.keeping = keep(language, cache, modelDigest: parts[0], logger)
        }
        return model
    }

    /// nil where none is asked for, or none can be had: a model is served without one.
    private static func packedCache(
        _ path: String, _ device: Device, _ loading: Loading, _ logger: Logger
    ) -> PackedCache? {
        guard let folder = loading.packedFolder else { return nil }
        guard case .cpu = device.description.kind else {
            logger.notice("packed weights are kept for the CPU only")
            return nil
        }
        do {
            return try PackedCache(folder: folder, model: path, activations: loading.activations)
        } catch {
            logger.warning("packed weights cannot be kept: \(error)")
            return nil
        }
    }

    /// While the first requests are answered already: the next run gains from it, not this one.
    private static func keep(
        _ language: LanguageModel, _ cache: PackedCache, modelDigest: String, _ logger: Logger
    ) -> Task<Void, Never> {
        Task.detached(priority: .background) {
            do {
                try cache.keep(language, modelDigest: modelDigest)
                logger.info("packed weights are kept for the next run")
            } catch {
                logger.warning("packed weights could not be kept: \(error)")
            }
        }
    }
}
