import HearthCompute
import HearthFormats
import HearthKernels
import HearthModels

/// A model file ready to run on one device: weights, tokenizer, chat template.
public final class LanguageModel: Sendable {
    public typealias Activations = PackedWeights.Activations

    public let path: String
    public let name: String
    public let tokenizer: BPETokenizer
    public let config: LlamaConfig
    public let device: Device
    public let contextLength: Int
    let model: LlamaModel
    let endIDs: Set<Int32>
    private let template: String?

    /// Tokens that end a reply by their name, besides the file's own end-of-sequence.
    private static let endNames = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>"]

    /// - Parameters:
    ///   - contextLength: at most the model's own; nil means that.
    ///   - activations: how activations meet quantised weights on the CPU.
    ///   - progress: share of the weights that is on the device.
    public init(
        path: String, device: Device, contextLength: Int? = nil, activations: Activations = .int8,
        progress: @escaping (Double) -> Void = { _ in }
    ) throws {
        let gguf = try GGUFFile(path: path)
        self.path = path
        self.device = device
        tokenizer = try BPETokenizer(gguf)
        config = try LlamaConfig(gguf, vocabularySize: tokenizer.vocabularySize)
        self.contextLength = min(contextLength ?? config.contextLength, config.contextLength)
        name = (try? gguf.string("general.name")) ?? path
        model = try LlamaModel(
            gguf, config: config, device: device, positions: self.contextLength, activations: activations,
            progress: progress)
        template = try? gguf.string("tokenizer.chat_template")
        endIDs = Set(
            [tokenizer.eosID].compactMap { $0 } + Self.endNames.compactMap { [tokenizer] in tokenizer.id(ofToken: $0) })
    }

    /// The prompt that the model's chat template makes of one user message.
    public func chatPrompt(_ message: String) throws -> [Int32] {
        guard let template else { throw FormatError(file: path, "the model has no chat template: leave out --chat") }
        let text = try ChatTemplate(template).render([.init(role: "user", content: message)], addGenerationPrompt: true)
        return tokenizer.encode(text, parsesControl: true)
    }
}
