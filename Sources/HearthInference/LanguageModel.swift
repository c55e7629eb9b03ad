import HearthCompute
import HearthFormats
import HearthGrammar
import HearthKernels
import HearthModels
import Synchronization

/// A model ready to run on one device: weights, tokenizer, chat template.
public final class LanguageModel: Sendable {
    public typealias Activations = PackedWeights.Activations

    /// A GGUF file, or a folder as Hugging Face publishes models.
    public let path: String
    public let name: String
    public let tokenizer: Tokenizer
    public let config: ModelConfig
    public let device: Device
    public let contextLength: Int
    /// Of the files with tensors, and elements of all its tensors.
    public let byteCount, parameterCount: Int
    let model: Transformer
    /// Of the model that the weights were packed from, where they were kept from an earlier run.
    public let packedDigest: String?
    /// Whether weights were packed in this run, not all kept from an earlier one.
    public var hasPacked: Bool { model.hasPacked }
    let endIDs: Set<Int32>
    /// As it was read; an error comes when it is needed: text completions do without.
    private let template: Result<ChatTemplate, ChatTemplateError>?

    private let trie = Mutex<TokenTrie?>(nil)

    /// Tokens that end a reply by their name, besides the model's own end-of-sequence.
    private static let endNames = ["<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>"]

    /// - Parameters:
    ///   - contextLength: at most the model's own; nil means that.
    ///   - activations: how activations meet quantised weights on the CPU.
    ///   - packedCache: where packed weights are kept; what it has is used.
    ///   - progress: share of the weights that is on the device.
    public init(
        path: String, device: Device, contextLength: Int? = nil, activations: Activations = .int8,
        packedCache: PackedCache? = nil, progress: @escaping (Double) -> Void = { _ in }
    ) throws {
        let source = try ModelSource(path: path)
        (self.path, self.device, name) = (path, device, source.name)
        byteCount = source.byteCount
        parameterCount = source.tensors.values.reduce(0) { $0 + $1.shape.reduce(1, *) }
        tokenizer = source.tokenizer
        config = try ModelConfig(source)
        self.contextLength = min(contextLength ?? config.contextLength, config.contextLength)
        let kept = packedCache?.open()
        packedDigest = kept?.modelDigest
        model = try Transformer(
            source, config: config, device: device, positions: self.contextLength, activations: activations,
            kept: kept, progress: progress)
        template = source.chatTemplate.map { text in
            Result { () throws(ChatTemplateError) in try ChatTemplate(text) }
        }
        let named = Self.endNames.compactMap { source.tokenizer.id(ofToken: $0) }
        endIDs = Set([source.tokenizer.eosID].compactMap { $0 } + source.endIDs + named)
    }

    /// The texts of all tokens, for grammars; made when first needed.
    var tokenTexts: TokenTrie {
        trie.withLock { known in
            if let known { return known }
            let texts = (0..<Int32(tokenizer.vocabularySize)).map { tokenizer.bytes(of: $0) }
            let made = TokenTrie(texts)
            known = made
            return made
        }
    }

    /// The prompt that the model's chat template makes of `messages`. Control tokens that their texts spell out stay text.
    ///
    /// - Throws: `FormatError` when the model has no template, `ChatTemplateError` when it refuses the messages.
    public func chatPrompt(_ messages: [ChatTemplate.Message]) throws -> [Int32] {
        guard let template else { throw FormatError(file: path, "the model has no chat template") }
        let guarded = messages.map {
            ChatTemplate.Message(role: tokenizer.disarmed($0.role), content: tokenizer.disarmed($0.content))
        }
        // Where texts begin with the first token by themselves, a template that writes it too would double it.
        let first = tokenizer.addsBOS ? nil : tokenizer.bosID.flatMap { tokenizer.text(of: $0) }
        let text = try template.get().render(
            guarded, addGenerationPrompt: true, bosToken: first ?? "",
            eosToken: tokenizer.eosID.flatMap { tokenizer.text(of: $0) } ?? "")
        return tokenizer.encode(text, parsesControl: true)
    }
}
