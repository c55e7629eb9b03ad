import ArgumentParser
import Foundation
import HearthCompute
import HearthFleet
import HearthInference
import HearthServe

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve a language model over HTTP, as OpenAI's API.")

    @Option(help: "A GGUF file, or a folder with config.json, tokenizer.json and safetensors.") var model: String
    @Option(help: "HOST:PORT; port 0 takes a free one. Beyond loopback, keys and TLS are needed.")
    var listen = "127.0.0.1:8080"
    @Option(help: "The name clients ask for; the file's own when left out.") var modelName: String?
    @Option(help: "File of API keys: NAME and a key's SHA-256 a line.") var apiKeys: String?
    @Option(help: "TLS certificate chain (PEM).") var tlsCertificate: String?
    @Option(help: "TLS private key (PEM).") var tlsKey: String?
    @Option(help: "Tokens of prompt and answer at most; the model's own context when left out.") var context: Int?
    @Option(help: "Answers under way at once.") var maxSequences = 64
    @Option(help: "Requests that may wait; more get 429.") var maxQueued = 256
    @Option(help: "Element type of keys and values: f16, q8_0 or f32.") var cache = "f16"
    @Option(help: "MiB for keys and values of all answers.") var cacheMemory = 1024
    @Flag(help: "One sequence a pass on devices whose sums depend on the batch: answers repeat bit for bit.")
    var invariant = false
    @Option(help: "MiB that a request's body may have.") var maxBody = 4
    @Option(help: "Connections at once.") var maxConnections = 512
    @Option(help: "Folder where the address in use is written (file address).") var state: String?
    @Option(help: "Activations beside quantised weights on the CPU: int8 (fast) or f32 (exact).")
    var activations = LanguageModel.Activations.int8
    @Option(
        help:
            "Folder that keeps the CPU's packed weights between runs, as large as the model: loading takes a third of the time."
    )
    var packed: String?
    @OptionGroup var options: DeviceOptions

    func validate() throws {
        for (name, value) in [
            ("max-sequences", maxSequences), ("max-queued", maxQueued), ("cache-memory", cacheMemory),
            ("max-body", maxBody), ("max-connections", maxConnections), ("context", context ?? 1),
        ] where !(1...1 << 24).contains(value) {
            throw ValidationError("--\(name) \(value) is not in 1...2^24")
        }
        _ = try Engine.Options.cacheType(cache)
    }

    func run() async throws {
        let logger = Log.make("serve")
        let device = try options.open()
        let ceilings = try ceilings(of: device)
        var loading = ServedModel.Loading(name: modelName, context: context, activations: activations)
        loading.packedFolder = packed
        loading.engine.maxSequences = maxSequences
        loading.engine.maxQueued = maxQueued
        loading.engine.maxBatchTokens = max(256, maxSequences + 64)
        loading.engine.cache = try Engine.Options.cacheType(cache)
        loading.engine.cacheByteCount = cacheMemory << 20
        loading.engine.isInvariant = invariant
        var config = ServeConfig()
        (config.listen, config.apiKeyFile, config.stateFolder) = (listen, apiKeys, state)
        (config.certificateFile, config.privateKeyFile) = (tlsCertificate, tlsKey)
        (config.maxBodyByteCount, config.maxConnections) = (maxBody << 20, maxConnections)
        if let state { try StateFolder.prepare(state) }
        let served = try await ServedModel.load(model, on: device, loading, logger)
        try await InferenceServer(served, config: config, ceilings: ceilings, logger: logger).run()
    }
}
